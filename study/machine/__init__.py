"""The machine that trains: its facts, its devices, how free it is, and its clock."""
