"""The edge to the world: the only code that opens sockets, starts tasks and catches what libraries raise."""
