"""What an honest authorization server does, one RFC beside the other, on Authlib's server side."""
