// The low-level SHA256_ functions keep their context on the stack: no allocation and no algorithm
// look-up per hash (a fifth of the cost of EVP for 200 bytes), and so these stay pure functions.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "server/hours/ledger/merkle.hpp"

#include <openssl/sha.h>

#include <bit>
#include <cassert>

namespace kapok::ledger {

namespace {

Digest256 finish(SHA256_CTX& context) {
  Digest256 out;
  SHA256_Final(reinterpret_cast<unsigned char*>(out.data()), &context);
  return out;
}

// The hash of leaves [from, to), a range that a proof names.
Result<Digest256> range_hash(const HashSource& hashes, std::uint64_t from, std::uint64_t to) {
  const std::uint64_t length = to - from;
  if (std::has_single_bit(length)) {
    const auto height = static_cast<unsigned>(std::countr_zero(length));
    assert((from & (length - 1)) == 0);
    return hashes.hash(height, from >> height);
  }
  const std::uint64_t split = std::bit_floor(length);
  const Digest256 left = KAPOK_TRY(range_hash(hashes, from, from + split));
  const Digest256 right = KAPOK_TRY(range_hash(hashes, from + split, to));
  return node_hash(left, right);
}

// The largest power of two below n (n > 1).
std::uint64_t split_of(std::uint64_t n) {
  return std::bit_floor(n - 1);
}

}  // namespace

Digest256 leaf_hash(ByteSpan leaf) {
  SHA256_CTX context;
  SHA256_Init(&context);
  constexpr unsigned char kLeafPrefix = 0;
  SHA256_Update(&context, &kLeafPrefix, 1);
  SHA256_Update(&context, leaf.data(), leaf.size());
  return finish(context);
}

Digest256 node_hash(const Digest256& left, const Digest256& right) {
  SHA256_CTX context;
  SHA256_Init(&context);
  constexpr unsigned char kNodePrefix = 1;
  SHA256_Update(&context, &kNodePrefix, 1);
  SHA256_Update(&context, left.data(), left.size());
  SHA256_Update(&context, right.data(), right.size());
  return finish(context);
}

Digest256 empty_root() {
  return sha256({});
}

Frontier::Frontier(std::uint64_t size, std::vector<Digest256> roots)
    : size_(size), roots_(std::move(roots)) {
  assert(static_cast<std::size_t>(std::popcount(size)) == roots_.size());
}

Digest256 Frontier::root() const {
  if (roots_.empty()) return empty_root();
  Digest256 root = roots_.back();
  for (std::size_t i = roots_.size() - 1; i-- > 0;) root = node_hash(roots_[i], root);
  return root;
}

std::vector<std::pair<unsigned, std::uint64_t>> complete_subtrees(std::uint64_t size) {
  std::vector<std::pair<unsigned, std::uint64_t>> out;
  std::uint64_t from = 0;
  for (std::uint64_t left = size; left > 0;) {
    const std::uint64_t length = std::bit_floor(left);
    const auto height = static_cast<unsigned>(std::countr_zero(length));
    out.emplace_back(height, from >> height);
    from += length;
    left -= length;
  }
  return out;
}

Result<Digest256> tree_root(const HashSource& hashes, std::uint64_t size) {
  if (size == 0) return empty_root();
  return range_hash(hashes, 0, size);
}

Result<Proof> inclusion_proof(const HashSource& hashes, std::uint64_t index, std::uint64_t size) {
  if (index >= size) return fail(Errc::limit, "leaf {} is not in a tree of {}", index, size);
  // From the root down; the proof wants it from the leaf up.
  Proof proof;
  std::uint64_t from = 0;
  std::uint64_t to = size;
  while (to - from > 1) {
    const std::uint64_t middle = from + split_of(to - from);
    if (index < middle) {
      proof.push_back(KAPOK_TRY(range_hash(hashes, middle, to)));
      to = middle;
    } else {
      proof.push_back(KAPOK_TRY(range_hash(hashes, from, middle)));
      from = middle;
    }
  }
  return Proof(proof.rbegin(), proof.rend());
}

// [RFC 9162 2.1.3.2], the same tree as RFC 6962.
bool verify_inclusion(const Digest256& leaf, std::uint64_t index, std::uint64_t size,
                      std::span<const Digest256> proof, const Digest256& root) {
  if (index >= size) return false;
  std::uint64_t fn = index;
  std::uint64_t sn = size - 1;
  Digest256 hash = leaf;
  for (const Digest256& step : proof) {
    if (sn == 0) return false;
    if ((fn & 1) != 0 || fn == sn) {
      hash = node_hash(step, hash);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      hash = node_hash(hash, step);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && hash == root;
}

namespace {

// [RFC 6962 2.1.2] SUBPROOF(m, D[from:to], whole).
enum class Known : std::uint8_t { whole, part };
Result<void> subproof(const HashSource& hashes, std::uint64_t m, std::uint64_t from,
                      std::uint64_t to, Known known, Proof& proof) {
  if (from + m == to) {
    if (known == Known::part) proof.push_back(KAPOK_TRY(range_hash(hashes, from, to)));
    return {};
  }
  const std::uint64_t k = split_of(to - from);
  if (m <= k) {
    KAPOK_TRY(subproof(hashes, m, from, from + k, known, proof));
    proof.push_back(KAPOK_TRY(range_hash(hashes, from + k, to)));
  } else {
    KAPOK_TRY(subproof(hashes, m - k, from + k, to, Known::part, proof));
    proof.push_back(KAPOK_TRY(range_hash(hashes, from, from + k)));
  }
  return {};
}

}  // namespace

Result<Proof> consistency_proof(const HashSource& hashes, std::uint64_t older,
                                std::uint64_t newer) {
  if (older == 0 || older > newer)
    return fail(Errc::limit, "no consistency proof from size {} to {}", older, newer);
  Proof proof;
  KAPOK_TRY(subproof(hashes, older, 0, newer, Known::whole, proof));
  return proof;
}

// [RFC 9162 2.1.4.2]
bool verify_consistency(std::uint64_t older, std::uint64_t newer, const Digest256& older_root,
                        const Digest256& newer_root, std::span<const Digest256> proof) {
  if (older > newer || older == 0) return false;
  if (older == newer) return proof.empty() && older_root == newer_root;
  if (proof.empty()) return false;
  std::uint64_t fn = older - 1;
  std::uint64_t sn = newer - 1;
  while ((fn & 1) != 0) {
    fn >>= 1;
    sn >>= 1;
  }
  std::size_t at = 0;
  const Digest256 first = std::has_single_bit(older) ? older_root : proof[at++];
  Digest256 fr = first;
  Digest256 sr = first;
  for (; at < proof.size(); ++at) {
    if (sn == 0) return false;
    if ((fn & 1) != 0 || fn == sn) {
      fr = node_hash(proof[at], fr);
      sr = node_hash(proof[at], sr);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      sr = node_hash(sr, proof[at]);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return fr == older_root && sr == newer_root && sn == 0;
}

}  // namespace kapok::ledger
