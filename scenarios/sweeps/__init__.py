"""Run a scenario over values and chips: design, points, engines, cube, report."""
