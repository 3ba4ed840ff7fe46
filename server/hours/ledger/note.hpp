// Signed notes (C2SP signed-note) and the checkpoint (C2SP tlog-checkpoint) that they carry:
// origin, size and root of a log, with one signature line per signer. Ed25519 here; an SM2-with-SM3
// signer is one more NoteSigner, and a verifier ignores lines that it does not know.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/bytes.hpp"
#include "server/base/crypto.hpp"
#include "server/base/result.hpp"

namespace kapok::ledger {

constexpr std::size_t kMaxNoteBytes = 64 * 1024;  // a checkpoint has about 200
constexpr std::size_t kMaxNoteSignatures = 100;

struct Checkpoint {
  std::string origin;  // also the key's name: "example.com/kapok"
  std::uint64_t size = 0;
  Digest256 root{};
  bool operator==(const Checkpoint&) const = default;
};

std::string checkpoint_text(const Checkpoint& checkpoint);
// Errors: malformed. Extension lines are allowed and ignored, as the format wants.
Result<Checkpoint> parse_checkpoint(std::string_view text);

// Adds one line to a note. Implementations are immutable and may be used by any thread.
class NoteSigner {
 public:
  virtual ~NoteSigner() = default;
  // "<U+2014> <name> <base64(key id and signature)>\n" for the text (which ends with a newline).
  virtual std::string signature_line(std::string_view text) const = 0;
};

std::string sign_note(std::string_view text,
                      std::span<const std::unique_ptr<const NoteSigner>> signers);

class Ed25519Verifier {
 public:
  // "<name>+<key id in hex>+<base64(0x01 and the public key)>", as signed-note tools write it.
  static Result<Ed25519Verifier> parse(std::string_view text);
  Ed25519Verifier(std::string name, const std::array<std::byte, 32>& key);

  const std::string& name() const { return name_; }
  std::string text() const;
  bool verify(std::string_view text, ByteSpan signature) const;
  ByteSpan key_id() const { return key_id_; }

 private:
  std::string name_;
  std::array<std::byte, 32> key_;
  std::array<std::byte, 4> key_id_;
};

class Ed25519Signer final : public NoteSigner {
 public:
  static Ed25519Signer generate(std::string name);
  // "PRIVATE+KEY+<name>+<key id in hex>+<base64(0x01 and the seed)>"
  static Result<Ed25519Signer> parse(std::string_view text);
  // Reads the key, or makes it (mode 0600) and writes the verifier beside it as <path>.pub. Errors:
  // config (a name other than `name`, a mode others can read), io.
  static Result<Ed25519Signer> load_or_create(const std::filesystem::path& path,
                                              std::string_view name);

  std::string text() const;
  std::string signature_line(std::string_view text) const override;
  const Ed25519Verifier& verifier() const { return verifier_; }

 private:
  Ed25519Signer(std::string name, const std::array<std::byte, 32>& seed);
  std::array<std::byte, 32> seed_;
  Ed25519Verifier verifier_;
};

struct OpenedNote {
  std::string text;
  std::vector<std::string> verified;  // names of the verifiers whose line was there and right
  std::vector<std::string> unknown;   // names of lines that no verifier knows
};

// Errors: malformed; denied (a known key's signature is wrong, or none of the verifiers signed).
Result<OpenedNote> open_note(std::string_view note, std::span<const Ed25519Verifier> verifiers);

// A key name or origin: not empty, no spaces, no plus, printable ASCII, at most 255 characters.
bool is_valid_note_name(std::string_view name);

}  // namespace kapok::ledger
