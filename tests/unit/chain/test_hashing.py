from jigap.chain.hashing import EMPTY_TRIE, checksum_hex, sha3_256


def test_hashes_with_sha3_and_not_with_keccak() -> None:
    """The empty string tells the two apart."""
    assert sha3_256(b"").hex() == (
        "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"
    )


def test_the_checksum_changes_letter_case_only() -> None:
    data = bytes(range(20))
    assert checksum_hex(data).lower() == "0x" + data.hex()


def test_the_empty_trie_constant_is_a_hash() -> None:
    assert EMPTY_TRIE.hex().startswith("56e81f17") and EMPTY_TRIE.hex().endswith("b421")
    assert len(EMPTY_TRIE) == 32
