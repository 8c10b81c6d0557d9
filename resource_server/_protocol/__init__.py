"""What the RFCs say, as pure functions: no clock, no network, no lock, no framework."""
