"""Parts of files (RFC 9110, section 14)."""

import pytest

from vo.products.ranges import RangeFault, find_range, is_unchanged

TAG = '"abc"'


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-99", (0, 100)),
        ("bytes=990-", (990, 1000)),
        ("bytes=-10", (990, 1000)),
        ("bytes=-5000", (0, 1000)),
        ("bytes=5-5000", (5, 1000)),
        (" Bytes = 1 - 1 ", (1, 2)),
        *(
            (text, None)
            for text in (None, "", "bytes=", "bytes=-", "bytes=5-3", "lines=1-2", "bytes=0-1,5-6", "bytes=a-b")
        ),
    ],
)
def test_parts(asked, part):
    assert find_range(asked, None, TAG, 1000) == part


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=1000-2000", "bytes=-0"])
def test_parts_behind_the_end(asked):
    with pytest.raises(RangeFault, match="1000 bytes"):
        find_range(asked, None, TAG, 1000)


def test_a_part_of_another_version_is_the_whole():
    assert find_range("bytes=0-9", TAG, TAG, 1000) == (0, 10)
    for other in ('"other"', 'W/"abc"', "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert find_range("bytes=0-9", other, TAG, 1000) is None


def test_copies_that_are_still_good():
    assert is_unchanged(TAG, TAG)
    assert is_unchanged(f'"x", W/{TAG}', TAG)
    assert is_unchanged("*", TAG)
    assert not is_unchanged('"abcd"', TAG)
    assert not is_unchanged(None, TAG)
