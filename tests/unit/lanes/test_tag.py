"""The 16 bytes that let us, and nobody else, know our own transactions."""

from jigap.lanes import TagKeys

SENDER = bytes.fromhex("00025b875ec2c5410002")
KEYS = TagKeys(b"s" * 32)


def test_a_tag_is_known_again():
    tag = KEYS.make("transfer", "mb_1", "key-0001", SENDER)
    assert len(tag) == 16
    assert KEYS.is_ours(tag, SENDER)


def test_the_same_request_has_the_same_tag_and_another_has_not():
    tag = KEYS.make("transfer", "mb_1", "key-0001", SENDER)
    assert tag == KEYS.make("transfer", "mb_1", "key-0001", SENDER)
    assert tag != KEYS.make("transfer", "mb_1", "key-0002", SENDER)
    assert tag != KEYS.make("transfer", "mb_2", "key-0001", SENDER)
    assert tag != KEYS.make("gas_refill", "mb_1", "key-0001", SENDER)


def test_a_tag_moved_to_another_sender_is_not_ours():
    tag = KEYS.make("transfer", "mb_1", "key-0001", SENDER)
    assert not KEYS.is_ours(tag, bytes(10))


def test_random_bytes_and_other_lengths_are_not_ours():
    assert not KEYS.is_ours(bytes(16), SENDER)
    assert not KEYS.is_ours(b"", SENDER)


def test_without_the_secret_tags_differ():
    other = TagKeys(b"t" * 32)
    assert not other.is_ours(KEYS.make("transfer", "mb_1", "key-0001", SENDER), SENDER)
