"""Chains and the one who follows them."""

import pytest

pytest.register_assert_rewrite("tests.chains.conformance")
