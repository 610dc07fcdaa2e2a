"""Two wheels become one: pair them, read them, plan, write, and check before the result gets its name.

    pairing → readpair → plan (decide, by rules and mergers) → write → fuse

The plan is a value that settles every member; writing it decides nothing.
"""
