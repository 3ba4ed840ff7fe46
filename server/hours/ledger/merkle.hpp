// The Merkle tree of RFC 6962 section 2.1 over SHA-256, as pure functions: leaf and node hashes, an
// appendable frontier, inclusion and consistency proofs and their checks. Nothing here knows files.
// A subtree is named by (height, index): it covers leaves [index << height, (index + 1) << height).
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/crypto.hpp"
#include "server/base/result.hpp"

namespace kapok::ledger {

Digest256 leaf_hash(ByteSpan leaf);
Digest256 node_hash(const Digest256& left, const Digest256& right);
Digest256 empty_root();  // of a tree without leaves: SHA-256 of nothing

// The right edge of a growing tree: one hash per set bit of the size.
class Frontier {
 public:
  Frontier() = default;
  // Of a tree of `size` leaves: the roots of its complete subtrees, largest first.
  Frontier(std::uint64_t size, std::vector<Digest256> roots);

  // Adds a leaf's hash. Calls on_complete(height, hash) for every subtree that it completes, from
  // height 0 (the leaf itself) up.
  template <class OnComplete>
  void append(const Digest256& leaf, OnComplete on_complete) {
    Digest256 hash = leaf;
    on_complete(0U, hash);
    std::uint64_t below = size_++;
    for (unsigned height = 1; (below & 1) != 0; below >>= 1, ++height) {
      hash = node_hash(roots_.back(), hash);
      roots_.pop_back();
      on_complete(height, hash);
    }
    roots_.push_back(hash);
  }
  std::uint64_t size() const { return size_; }
  Digest256 root() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest256> roots_;
};

// Where hashes of complete subtrees come from: tiles on disk, or a vector in a test.
class HashSource {
 public:
  virtual ~HashSource() = default;
  virtual Result<Digest256> hash(unsigned height, std::uint64_t index) const = 0;
};

// The complete subtrees that a tree of `size` leaves consists of, largest first.
std::vector<std::pair<unsigned, std::uint64_t>> complete_subtrees(std::uint64_t size);
Result<Digest256> tree_root(const HashSource& hashes, std::uint64_t size);

using Proof = std::vector<Digest256>;

// [RFC 6962 2.1.1] Errors: limit (index not below size).
Result<Proof> inclusion_proof(const HashSource& hashes, std::uint64_t index, std::uint64_t size);
bool verify_inclusion(const Digest256& leaf, std::uint64_t index, std::uint64_t size,
                      std::span<const Digest256> proof, const Digest256& root);

// [RFC 6962 2.1.2] Errors: limit (older is 0 or above newer).
Result<Proof> consistency_proof(const HashSource& hashes, std::uint64_t older, std::uint64_t newer);
bool verify_consistency(std::uint64_t older, std::uint64_t newer, const Digest256& older_root,
                        const Digest256& newer_root, std::span<const Digest256> proof);

}  // namespace kapok::ledger
