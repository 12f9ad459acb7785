"""Settings of all suites."""

from hypothesis import settings

# no test asserts a duration: the first example of a suite may load compiled code
settings.register_profile("ml4t", deadline=None)
settings.load_profile("ml4t")
