"""The tree hash of RFC 6962, against the vectors that Certificate Transparency is tested with."""

import pytest

from flamewire_ledger.store.merkle import (
    MerkleTree,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_from_path,
)

# The inputs and roots of certificate-transparency-go, merkletree/merkle_tree_test.go.
LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("count", range(9))
def test_the_root_is_that_of_the_rfc(count: int):
    tree = MerkleTree()
    for leaf in LEAVES[:count]:
        tree.add([bytes.fromhex(leaf)])
    assert tree.root().hex() == ROOTS[count]
    assert tree.leaves == count


def test_the_roots_of_segments_are_nodes_of_the_whole_tree():
    """Why a segment is a power of two of events."""
    contents = [bytes([number]) for number in range(24)]
    whole, parts = MerkleTree(), []
    whole.add(contents)
    for begin in range(0, 24, 8):
        part = MerkleTree()
        part.add(contents[begin : begin + 8])
        parts.append(part.root())
    assert whole.root() == node_hash(node_hash(parts[0], parts[1]), parts[2])


def test_a_node_cannot_pass_for_a_leaf():
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


@pytest.mark.parametrize("count", [*range(1, 9), 33, 100])
def test_each_leaf_leads_to_the_root_and_no_other_leaf_does(count: int):
    contents = [str(number).encode() for number in range(count)]
    leaves = [leaf_hash(content) for content in contents]
    tree = MerkleTree()
    tree.add(contents)
    for index in range(count):
        path = inclusion_path(leaves, index)
        assert root_from_path(leaves[index], index, count, path) == tree.root()
        assert root_from_path(leaf_hash(b"other"), index, count, path) != tree.root()
        with pytest.raises(ValueError, match="too long"):
            root_from_path(leaves[index], index, count, [*path, b""])
        if path:
            with pytest.raises(ValueError, match="too short"):
                root_from_path(leaves[index], index, count, path[:-1])


def test_the_paths_are_those_of_the_rfc():
    # The example of RFC 6962, section 2.1.3: PATH(3, D[7]) = [c, g, l] and PATH(6, D[7]) = [i, k].
    leaves = [leaf_hash(bytes([number])) for number in range(7)]
    ab, cd, ef = (node_hash(*leaves[at : at + 2]) for at in (0, 2, 4))
    assert inclusion_path(leaves, 3) == [leaves[2], ab, node_hash(ef, leaves[6])]
    assert inclusion_path(leaves, 6) == [ef, node_hash(ab, cd)]
