"""What a scenario file can say of Kirchhoff networks: ``network.law = "resistive"``."""
