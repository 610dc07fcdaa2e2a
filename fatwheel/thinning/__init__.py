"""One architecture of a universal2 wheel, or of a tree of files.

Reading, the plan, writing and the check are those of fusing, the other way round: slices are cut out of universal
files bit by bit, texts that fatwheel merged become one architecture's again, and what code for the other architecture
alone is there for is judged and told.
"""
