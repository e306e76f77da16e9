"""Every published or constructed vector of the protocol is one test.

``symverse.json`` says of each where it comes from; a failure repeats it, because a mismatch with a
mainnet fact weighs more than one with something we constructed. A category without a checker fails.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from jigap.chain import citizen, gas, hashing, rlp, sct20, signature, symid, template, transaction
from jigap.keys import keystore

VECTORS = json.loads((Path(__file__).parent / "symverse.json").read_text("utf-8"))["vectors"]


def data(text: str) -> bytes:
    """``0x`` hex of any length; an odd digit count means a number and is left-padded."""
    digits = text.removeprefix("0x")
    return bytes.fromhex(digits if len(digits) % 2 == 0 else "0" + digits)


def number(value: int | str) -> int:
    return value if isinstance(value, int) else int(value.removeprefix("0x") or "0", 16)


def check_key(inputs: Any, expected: Any) -> None:
    key = signature.PrivateKey(data(inputs["private_key"]))
    found = {
        "public_key_x": "0x" + key.public_key[:32].hex(),
        "public_key_y": "0x" + key.public_key[32:].hex(),
        "public_key_hash": "0x" + key.public_key_hash.hex(),
        "public_key_hash_checksummed": hashing.checksum_hex(key.public_key_hash),
    }
    assert {name: found[name] for name in expected} == expected


def check_checksum(inputs: Any, expected: Any) -> None:
    assert hashing.checksum_hex(data(inputs["hex"])) == expected["checksummed"]


def check_hash(inputs: Any, expected: Any) -> None:
    assert hashing.sha3_256(data(inputs["data"])) == data(expected["sha3_256"])


def check_keystore(inputs: Any, expected: Any) -> None:
    """Our reader and a second one, written here from the format alone, open the file alike."""
    crypto = inputs["keystore"]["crypto"]
    parameters = crypto["kdfparams"]
    n, r, p = parameters["n"], parameters["r"], parameters["p"]
    derived = hashlib.scrypt(
        inputs["passphrase"].encode("utf-8"),
        salt=bytes.fromhex(parameters["salt"]),
        n=n,
        r=r,
        p=p,
        dklen=parameters["dklen"],
        maxmem=128 * r * (n + p + 2) + (1 << 20),
    )
    ciphertext = bytes.fromhex(crypto["ciphertext"])
    mac = hashlib.sha3_256(derived[16:32] + ciphertext).hexdigest()
    assert hmac.compare_digest(mac, crypto["mac"])
    counter = modes.CTR(bytes.fromhex(crypto["cipherparams"]["iv"]))
    decryptor = Cipher(algorithms.AES(derived[:16]), counter).decryptor()
    secret = decryptor.update(ciphertext) + decryptor.finalize()
    assert secret == data(expected["private_key"])
    assert keystore.decrypt(inputs["keystore"], inputs["passphrase"]).secret == secret


def check_sct_input(inputs: Any, expected: Any) -> None:
    encoded = template.encode_named(inputs["type"], inputs["method"], inputs["params"])
    assert encoded.hex() == data(expected).hex()
    if inputs["type"] != template.SCT20:
        assert template.decode_template(encoded)[:2] == (inputs["type"], inputs["method"])
        with pytest.raises(sct20.UnsupportedTemplate):
            sct20.decode(encoded)
        return
    call = sct20.decode(encoded)
    assert (call.method, sct20.encode(call)) == (inputs["method"], encoded)


def check_raw_tx(inputs: Any, expected: Any) -> None:
    fields = inputs["tx"]
    unsigned = transaction.Transaction(
        sender=symid.parse(fields["from"]),
        nonce=fields["nonce"],
        gas_price=fields["gasPrice"],
        gas_limit=fields["gasLimit"],
        to=symid.parse(fields["to"]) if "to" in fields else b"",
        value=number(fields["value"]),
        input=data(fields.get("input", "0x")),
        type=fields.get("type", 0),
        work_nodes=tuple(symid.parse(node) for node in fields["workNodes"]),
        extra_data=data(fields.get("extra", "0x")),
    )
    chain_id = fields["chainId"]
    key = signature.PrivateKey(data(inputs["private_key"]))
    signed = transaction.sign(unsigned, key, chain_id)
    assert unsigned.signing_preimage(chain_id).hex() == data(expected["signing_preimage"]).hex()
    assert unsigned.signing_digest(chain_id) == data(expected["signing_hash"])
    assert signed.raw.hex() == data(expected["raw"]).hex()
    assert signed.hash == data(expected["tx_hash"])
    assert signed.signature == (expected["v"], number(expected["r"]), number(expected["s"]))
    assert transaction.decode(signed.raw) == signed
    signer = transaction.recover_public_key_hash(signed, chain_id)
    assert signer == data(expected["signer_public_key_hash"])


def check_recover(inputs: Any, expected: Any) -> None:
    signed = transaction.decode(data(inputs["raw"]))
    digest = signed.transaction.signing_digest(inputs["chain_id"])
    public_key = signature.recover(digest, signed.signature)
    assert digest == data(expected["signing_hash"])
    assert public_key == data(expected["public_key"])
    assert signature.public_key_hash(public_key) == data(expected["signer_public_key_hash"])
    assert signed.hash == data(expected["tx_hash"])


def check_tx_hash(inputs: Any, expected: Any) -> None:
    assert transaction.decode(data(inputs["raw"])).hash == data(expected["tx_hash"])


def check_contract_address(inputs: Any, expected: Any) -> None:
    found = symid.contract_address(symid.parse(inputs["from"]), inputs["nonce"])
    assert symid.to_hex(found) == expected


def check_gas(inputs: Any, expected: Any) -> None:
    input_, to_empty = data(inputs["input"]), inputs["to_is_empty"]
    type_ = transaction.TYPE_SCT if input_ else transaction.TYPE_REMIT
    assert gas.input_operation_gas(type_, input_) == inputs["contract_operation_gas"]
    assert gas.gas_used(to_empty, type_, input_) == expected


def check_citizen_tx(inputs: Any, expected: Any) -> None:
    fields = inputs["fields"]
    unsigned = citizen.CitizenTransaction(
        sender=symid.parse(fields["from"]),
        to=symid.parse(fields["to"]),
        nonce=number(fields["nonce"]),
        symid=symid.parse(fields["symId"]),
        key_hash=data(fields["aKeyPubH"]),
        v_flag=number(fields["vFlag"]),
        country=number(fields["country"]),
        status=number(fields["status"]),
        credit=number(fields["credit"]),
        role=number(fields["role"]),
        ref_code=number(fields["refCode"]),
        write_time=number(fields["writeTime"]),
        extra_data=data(fields["extraData"]),
    )
    numbers = signature.Signature(*(number(fields[name]) for name in "vrs"))
    signed = citizen.with_signature(unsigned, numbers)
    assert signed.raw.hex() == data(expected["raw"]).hex()
    assert signed.hash == data(expected["hash"])
    assert citizen.decode(signed.raw) == signed


CHECKS: dict[str, Callable[[Any, Any], None]] = {
    "key": check_key,
    "checksum": check_checksum,
    "hash": check_hash,
    "keystore": check_keystore,
    "sct-input": check_sct_input,
    "raw-tx": check_raw_tx,
    "recover": check_recover,
    "tx-hash": check_tx_hash,
    "contract-address": check_contract_address,
    "gas": check_gas,
    "citizen-tx": check_citizen_tx,
}


@pytest.mark.parametrize(
    "vector",
    [pytest.param(vector, id=f"{vector['category']}/{vector['name']}") for vector in VECTORS],
)
def test_vector(vector: dict[str, Any]) -> None:
    """The library says what the vector says."""
    check = CHECKS.get(vector["category"])
    assert check is not None, f"no checker for category {vector['category']!r}"
    try:
        check(vector["inputs"], vector["expected"])
    except BaseException as error:  # pytest's own failures are not Exceptions
        error.add_note(f"provenance: {vector['provenance']}")
        raise


def test_every_checker_has_a_vector() -> None:
    assert {vector["category"] for vector in VECTORS} == set(CHECKS)


def test_vector_names_are_unique() -> None:
    names = [(vector["category"], vector["name"]) for vector in VECTORS]
    assert len(names) == len(set(names))


def test_short_signature_numbers_lose_their_leading_zero_on_the_wire() -> None:
    """The vectors contain a 31-byte r and a 31-byte s, and both are written in 31 bytes."""
    short = {vector["name"]: vector for vector in VECTORS if vector["name"].startswith("short-")}
    raw_r = rlp.decode(data(short["short-r-31-bytes"]["expected"]["raw"]))
    raw_s = rlp.decode(data(short["short-s-31-bytes"]["expected"]["raw"]))
    assert (len(raw_r[11]), len(raw_s[12])) == (31, 31)
