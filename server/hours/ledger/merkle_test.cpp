#include "server/hours/ledger/merkle.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace kapok::ledger {
namespace {

Bytes hex(std::string_view text) {
  return from_hex(text).value();
}
Digest256 digest(std::string_view text) {
  Digest256 out;
  std::ranges::copy(hex(text), out.begin());
  return out;
}

// The leaves and roots that the reference implementation of RFC 6962 (certificate-transparency,
// merkle_tree_test) is tested with.
const std::vector<std::string>& leaves() {
  static const std::vector<std::string> kLeaves{"",
                                                "00",
                                                "10",
                                                "2021",
                                                "3031",
                                                "40414243",
                                                "5051525354555657",
                                                "606162636465666768696a6b6c6d6e6f"};
  return kLeaves;
}
constexpr std::array<std::string_view, 8> kRoots{
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

// All hashes of a tree in memory, by height.
class MemoryTree final : public HashSource {
 public:
  void append(const Digest256& leaf) {
    frontier_.append(leaf, [this](unsigned height, const Digest256& hash) {
      if (rows_.size() <= height) rows_.resize(height + 1);
      rows_[height].push_back(hash);
    });
  }
  Result<Digest256> hash(unsigned height, std::uint64_t index) const override {
    if (height >= rows_.size() || index >= rows_[height].size())
      return fail(Errc::not_found, "no such subtree");
    return rows_[height][static_cast<std::size_t>(index)];
  }
  const Frontier& frontier() const { return frontier_; }
  const Digest256& leaf(std::size_t index) const { return rows_[0][index]; }

 private:
  Frontier frontier_;
  std::vector<std::vector<Digest256>> rows_;
};

MemoryTree tree_of(std::size_t size) {
  MemoryTree tree;
  for (std::size_t i = 0; i < size; ++i)
    tree.append(leaf_hash(as_bytes(fmt::format("leaf {}", i))));
  return tree;
}

TEST(Merkle, RootsAreThoseOfRfc6962) {
  EXPECT_EQ(to_hex(empty_root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  MemoryTree tree;
  for (std::size_t i = 0; i < leaves().size(); ++i) {
    tree.append(leaf_hash(hex(leaves()[i])));
    EXPECT_EQ(to_hex(tree.frontier().root()), kRoots[i]) << i + 1;
    EXPECT_EQ(to_hex(tree_root(tree, i + 1).value()), kRoots[i]) << i + 1;
  }
}

// From the same reference tests.
TEST(Merkle, KnownProofsComeOut) {
  MemoryTree tree;
  for (const std::string& leaf : leaves()) tree.append(leaf_hash(hex(leaf)));
  EXPECT_EQ(inclusion_proof(tree, 0, 8).value(),
            (Proof{digest("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"),
                   digest("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
                   digest("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4")}));
  EXPECT_EQ(consistency_proof(tree, 6, 8).value(),
            (Proof{digest("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"),
                   digest("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"),
                   digest("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")}));
}

TEST(Merkle, EveryInclusionProofHoldsAndNoOtherLeafPasses) {
  const MemoryTree tree = tree_of(70);
  for (std::uint64_t size = 1; size <= 70; ++size) {
    const Digest256 root = tree_root(tree, size).value();
    for (std::uint64_t index = 0; index < size; ++index) {
      Proof proof = inclusion_proof(tree, index, size).value();
      const Digest256& leaf = tree.leaf(static_cast<std::size_t>(index));
      ASSERT_TRUE(verify_inclusion(leaf, index, size, proof, root)) << index << " of " << size;
      const Digest256& other = tree.leaf(static_cast<std::size_t>((index + 1) % 70));
      ASSERT_FALSE(verify_inclusion(other, index, size, proof, root));
      if (size > 1) ASSERT_FALSE(verify_inclusion(leaf, (index + 1) % size, size, proof, root));
      proof.push_back(leaf);
      ASSERT_FALSE(verify_inclusion(leaf, index, size, proof, root));
    }
  }
  EXPECT_FALSE(inclusion_proof(tree, 70, 70));
}

TEST(Merkle, EveryConsistencyProofHoldsAndARewrittenHistoryDoesNot) {
  const MemoryTree tree = tree_of(40);
  for (std::uint64_t newer = 1; newer <= 40; ++newer)
    for (std::uint64_t older = 1; older <= newer; ++older) {
      const Proof proof = consistency_proof(tree, older, newer).value();
      const Digest256 a = tree_root(tree, older).value();
      const Digest256 b = tree_root(tree, newer).value();
      ASSERT_TRUE(verify_consistency(older, newer, a, b, proof)) << older << " " << newer;
      Digest256 wrong = a;
      wrong[5] ^= std::byte{1};
      ASSERT_FALSE(verify_consistency(older, newer, wrong, b, proof));
      wrong = b;
      wrong[5] ^= std::byte{1};
      ASSERT_FALSE(verify_consistency(older, newer, a, wrong, proof));
    }
  EXPECT_FALSE(consistency_proof(tree, 0, 5));
  EXPECT_FALSE(consistency_proof(tree, 6, 5));
}

TEST(Merkle, AFrontierGoesOnFromItsSubtrees) {
  for (std::uint64_t size = 0; size < 40; ++size) {
    const MemoryTree tree = tree_of(static_cast<std::size_t>(size));
    std::vector<Digest256> roots;
    for (const auto& [height, index] : complete_subtrees(size))
      roots.push_back(tree.hash(height, index).value());
    Frontier again(size, roots);
    EXPECT_EQ(again.root(), tree.frontier().root()) << size;
    Frontier before = tree.frontier();
    const auto nothing = [](unsigned, const Digest256&) {};
    again.append(empty_root(), nothing);
    before.append(empty_root(), nothing);
    EXPECT_EQ(again.root(), before.root()) << size;
  }
}

}  // namespace
}  // namespace kapok::ledger
