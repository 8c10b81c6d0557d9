"""From a credential to a verdict: flows that ask, and the small states they remember in.

Read ``flow`` for the contract, then ``validate`` for the strategy.
"""
