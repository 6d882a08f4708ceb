"""Learning rules of Kirchhoff networks: elements compare their own squared drops."""
