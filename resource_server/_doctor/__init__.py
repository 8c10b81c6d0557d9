"""What ``resource-server doctor`` finds out: each thing a resource server leans on, looked at as the service would.

``examine`` runs the checks; each of them is a module. Causes come before consequences: what cannot be looked at because
something before it is broken is skipped, and says so.
"""
