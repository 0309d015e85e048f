"""
The steps of the post path at which a process can be told to die. The launcher obeys them, the
faults give them.
"""

ARMED = "FEEDD_CHAOS_ARMED"
"""The environment variable that names a file; what is in the file is the step."""

BEFORE_COMMIT = "before-commit"
AFTER_COMMIT = "after-commit"
AFTER_PUBLISH = "after-publish"
STEPS = (BEFORE_COMMIT, AFTER_COMMIT, AFTER_PUBLISH)
