"""Settings of all suites."""

import signal

from hypothesis import settings

# no test asserts a duration: the first example of a suite may load compiled code
settings.register_profile("ml4t", deadline=None)
settings.load_profile("ml4t")

# a shell starts what runs in the background with interrupts ignored, and some tests interrupt themselves
signal.signal(signal.SIGINT, signal.default_int_handler)
