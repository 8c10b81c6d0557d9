"""What all workers share: the second level behind the caches of each. Every store is an extra."""
