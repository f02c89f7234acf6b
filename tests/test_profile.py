"""Settings by the size of a model."""

from course_lib.methods.profile import profile_of
from course_lib.methods.virtual import RATES


def test_larger_models_get_lower_rates():
    small, middle, large = (profile_of(n) for n in (5_101_824, 134_515_008, 7_000_000_000))
    assert [p.size for p in (small, middle, large)] == ["small", "middle", "large"]
    assert small.full > middle.full > large.full and small.adapter > middle.adapter > large.adapter
    assert all(min(RATES.values()) > p.adapter > p.full for p in (small, middle, large))


def test_limits_belong_to_the_larger_size():
    assert profile_of(49_999_999).size == "small" and profile_of(50_000_000).size == "middle"
    assert profile_of(10**9).size == "large"


def test_a_model_is_counted(base):
    from course_lib.methods.sft import usual_rate

    assert (usual_rate(base[0], False), usual_rate(base[0], True)) == (5e-4, 1.5e-3)
