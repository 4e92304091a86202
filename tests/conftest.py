"""Fixtures for every test: the cluster and the hosts. They start nothing until a test asks for them."""

from hypothesis import settings

# How long an example takes depends on what else this machine does; no test asserts time.
settings.register_profile("firstresponder", deadline=None)
settings.load_profile("firstresponder")

pytest_plugins = ["tests.testbed.fixtures", "tests.testbed.host_fixtures"]
