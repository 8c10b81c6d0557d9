"""Reading a response of any resource server, and saying what it means and what comes next."""
