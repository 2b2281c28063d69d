"""Where payers send to: pools in files, and addresses that payments share."""

from __future__ import annotations

from pathlib import Path

import pytest

from flamewire_ledger.chains.networks.sui import BadAddressesFile, SuiSettings, read_addresses
from flamewire_ledger.chains.sui.deposits import AMOUNTS, AddressPool, deposits
from flamewire_ledger.domain.rejection import AddressesUsedUp

ONE, TWO, THREE = (f"0x{number:064x}" for number in (0xA1, 0xA2, 0xA3))
KIT = "0x" + "17" * 32


def pool(tmp_path: Path, text: str) -> AddressPool:
    path = tmp_path / "addresses.txt"
    path.write_text(text)
    return AddressPool("sui", path)


def test_a_number_is_the_place_of_an_address_in_the_file(tmp_path: Path) -> None:
    made = pool(
        tmp_path, f"# of the vault\n{ONE}\n\n {TWO.upper().replace('0X', '0x')}  # second\n"
    )
    assert (made.deposit(0).address, made.deposit(1).address) == (ONE, TWO)
    assert made.deposit(1).derivation == "addresses.txt/1"
    assert made.deposit(1) == made.deposit(1)


def test_a_pool_that_is_used_up_says_so_and_goes_on_when_the_file_has_grown(tmp_path: Path) -> None:
    made = pool(tmp_path, f"{ONE}\n{TWO}\n")
    for _ in range(2):
        with pytest.raises(AddressesUsedUp, match="add new ones at the end of the network's"):
            made.deposit(2)
    (tmp_path / "addresses.txt").write_text(f"{ONE}\n{TWO}\n{THREE}\n")
    assert made.deposit(2).address == THREE
    assert made.deposit(0).address == ONE


def test_a_file_that_is_not_what_it_was_gives_no_address_twice(tmp_path: Path) -> None:
    made = pool(tmp_path, f"{ONE}\n{TWO}\n")
    made.deposit(1)
    (tmp_path / "addresses.txt").write_text(f"{THREE}\n{ONE}\n{TWO}\n")
    with pytest.raises(AddressesUsedUp, match="does not begin as it did"):
        made.deposit(2)
    (tmp_path / "addresses.txt").unlink()
    with pytest.raises(AddressesUsedUp, match="No such file"):
        made.deposit(2)
    assert made.deposit(0).address == ONE


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"{ONE}\n{TWO}\n\n{ONE}", "line 4: this address is in line 1 already"),
        (f"{ONE}\n{TWO[:-1]}\n", "line 2: a Sui address is 0x and 64"),
        (f"{ONE} {TWO}\n", "line 1: a Sui address"),
        ("# nothing\n", "has no address in it"),
    ],
)
def test_a_file_that_is_wrong_names_the_line(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "addresses.txt"
    path.write_text(text)
    with pytest.raises(BadAddressesFile, match=sentence):
        read_addresses(path)


def test_a_file_of_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "addresses.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadAddressesFile, match="not UTF-8"):
        read_addresses(path)


def shared(payment_kit: str | None) -> SuiSettings:
    return SuiSettings("35834a8a", ("https://x",), address=ONE, payment_kit=payment_kit)


def test_a_shared_address_has_another_nonce_for_each_number() -> None:
    source = deposits("sui", "sui:35834a8a", shared(KIT))
    found = [source.deposit(number) for number in range(100)]
    assert {each.address for each in found} == {ONE}
    assert len({each.mark for each in found}) == 100
    assert all(each.memo == each.mark and len(each.mark or "") <= 36 for each in found)
    assert found[7] == source.deposit(7)
    assert found[7].derivation == "shared/7"
    other = deposits("sui", "sui:4c78adac", shared(KIT))
    assert other.deposit(7).mark != found[7].mark


def test_without_the_payment_kit_a_shared_address_goes_by_amounts() -> None:
    source = deposits("sui", "sui:35834a8a", shared(None))
    added = [source.deposit(number).adds_units for number in range(AMOUNTS)]
    assert min(added) >= 1
    assert len(set(added)) == AMOUNTS
    assert source.deposit(3).mark is None
