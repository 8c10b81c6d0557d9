"""The parts of the gateway: what is demanded, which request it is about, who it tells of, and how."""
