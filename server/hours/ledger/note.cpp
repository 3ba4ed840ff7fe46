#include "server/hours/ledger/note.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdlib>

#include "server/hours/ledger/file.hpp"

namespace kapok::ledger {

namespace {

constexpr std::byte kEd25519{0x01};                  // [signed-note] signature type
constexpr std::string_view kDash = "\xE2\x80\x94 ";  // U+2014 and a space
constexpr std::string_view kPrivatePrefix = "PRIVATE+KEY+";
constexpr std::size_t kSignatureBytes = 64;

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

Key private_key(const std::array<std::byte, 32>& seed) {
  return {EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, as_u8(seed), seed.size()),
          &EVP_PKEY_free};
}

std::array<std::byte, 32> public_of(const std::array<std::byte, 32>& seed) {
  const Key key = private_key(seed);
  std::array<std::byte, 32> out{};
  std::size_t size = out.size();
  if (!key || EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(out.data()),
                                          &size) != 1)
    std::abort();  // OpenSSL without Ed25519: nothing could be signed
  return out;
}

std::array<std::byte, 4> key_id_of(std::string_view name, const std::array<std::byte, 32>& key) {
  Bytes message = to_bytes(name);
  message.push_back(std::byte{'\n'});
  message.push_back(kEd25519);
  message.insert(message.end(), key.begin(), key.end());
  const Digest256 digest = sha256(message);
  std::array<std::byte, 4> id;
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

std::string typed_base64(const std::array<std::byte, 32>& key) {
  Bytes typed{kEd25519};
  typed.insert(typed.end(), key.begin(), key.end());
  return to_base64(typed);
}

struct KeyText {
  std::string_view name;
  Bytes id;
  std::array<std::byte, 32> key;
};
Result<KeyText> parse_key_text(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  const std::size_t first = text.find('+');
  if (first == std::string_view::npos) return fail(Errc::malformed, "not a note key");
  // The base64 may hold a plus: only the first two separate.
  const std::size_t second = text.find('+', first + 1);
  if (second == std::string_view::npos) return fail(Errc::malformed, "not a note key");
  KeyText out{text.substr(0, first), {}, {}};
  const std::optional<Bytes> id = from_hex(text.substr(first + 1, second - first - 1));
  const std::optional<Bytes> key = from_base64(text.substr(second + 1));
  if (!is_valid_note_name(out.name) || !id || id->size() != 4 || !key || key->size() != 33 ||
      key->front() != kEd25519)
    return fail(Errc::malformed, "not an Ed25519 note key");
  out.id = *id;
  std::copy(key->begin() + 1, key->end(), out.key.begin());
  return out;
}

// Cuts one line, without its newline; nullopt when there is no newline any more.
std::optional<std::string_view> cut_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

}  // namespace

bool is_valid_note_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < '\x7f' && c != '+'; });
}

std::string checkpoint_text(const Checkpoint& checkpoint) {
  return fmt::format("{}\n{}\n{}\n", checkpoint.origin, checkpoint.size,
                     to_base64(checkpoint.root));
}

Result<Checkpoint> parse_checkpoint(std::string_view text) {
  if (text.size() > kMaxNoteBytes) return fail(Errc::limit, "checkpoint too long");
  const auto origin = cut_line(text);
  const auto size = cut_line(text);
  const auto root = cut_line(text);
  if (!origin || !size || !root)
    return fail(Errc::malformed, "checkpoint lacks origin, size or root");
  if (origin->empty()) return fail(Errc::malformed, "checkpoint origin is empty");
  Checkpoint out;
  out.origin = *origin;
  const auto [end, failed] = std::from_chars(size->data(), size->data() + size->size(), out.size);
  const bool leading_zero = size->size() > 1 && size->front() == '0';
  if (failed != std::errc() || end != size->data() + size->size() || leading_zero)
    return fail(Errc::malformed, "checkpoint size is not a number");
  const std::optional<Bytes> hash = from_base64(*root);
  if (!hash || hash->size() != out.root.size())
    return fail(Errc::malformed, "checkpoint root is not a hash");
  std::ranges::copy(*hash, out.root.begin());
  // [tlog-checkpoint] extension lines may follow, none of them empty.
  while (!text.empty()) {
    const auto line = cut_line(text);
    if (!line || line->empty()) return fail(Errc::malformed, "checkpoint has a broken line");
  }
  return out;
}

std::string sign_note(std::string_view text,
                      std::span<const std::unique_ptr<const NoteSigner>> signers) {
  assert(text.ends_with('\n'));
  std::string note = fmt::format("{}\n", text);
  for (const auto& signer : signers) note += signer->signature_line(text);
  return note;
}

Ed25519Verifier::Ed25519Verifier(std::string name, const std::array<std::byte, 32>& key)
    : name_(std::move(name)), key_(key), key_id_(key_id_of(name_, key_)) {}

Result<Ed25519Verifier> Ed25519Verifier::parse(std::string_view text) {
  const KeyText key = KAPOK_TRY(parse_key_text(text));
  Ed25519Verifier verifier(std::string(key.name), key.key);
  if (!std::ranges::equal(key.id, verifier.key_id()))
    return fail(Errc::malformed, "verifier key id does not belong to its name and key");
  return verifier;
}

std::string Ed25519Verifier::text() const {
  return fmt::format("{}+{}+{}", name_, to_hex(key_id_), typed_base64(key_));
}

bool Ed25519Verifier::verify(std::string_view text, ByteSpan signature) const {
  if (signature.size() != kSignatureBytes) return false;
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, as_u8(key_), key_.size()),
                &EVP_PKEY_free);
  const Context context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  return key && context &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), as_u8(signature), signature.size(), as_u8(as_bytes(text)),
                          text.size()) == 1;
}

Ed25519Signer::Ed25519Signer(std::string name, const std::array<std::byte, 32>& seed)
    : seed_(seed), verifier_(std::move(name), public_of(seed)) {}

Ed25519Signer Ed25519Signer::generate(std::string name) {
  assert(is_valid_note_name(name));
  return {std::move(name), random_bytes<32>()};
}

Result<Ed25519Signer> Ed25519Signer::parse(std::string_view text) {
  if (!text.starts_with(kPrivatePrefix)) return fail(Errc::malformed, "not a private note key");
  const KeyText key = KAPOK_TRY(parse_key_text(text.substr(kPrivatePrefix.size())));
  Ed25519Signer signer(std::string(key.name), key.key);
  if (!std::ranges::equal(key.id, signer.verifier_.key_id()))
    return fail(Errc::malformed, "private key id does not belong to its name and key");
  return signer;
}

std::string Ed25519Signer::text() const {
  return fmt::format("{}{}+{}+{}", kPrivatePrefix, verifier_.name(), to_hex(verifier_.key_id()),
                     typed_base64(seed_));
}

std::string Ed25519Signer::signature_line(std::string_view text) const {
  const Key key = private_key(seed_);
  const Context context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  Bytes line(verifier_.key_id().begin(), verifier_.key_id().end());
  line.resize(4 + kSignatureBytes);
  std::size_t size = kSignatureBytes;
  if (!key || !context ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(line.data()) + 4, &size,
                     as_u8(as_bytes(text)), text.size()) != 1)
    std::abort();  // an unsigned checkpoint must never look like a signed one
  return fmt::format("{}{} {}\n", kDash, verifier_.name(), to_base64(line));
}

Result<Ed25519Signer> Ed25519Signer::load_or_create(const std::filesystem::path& path,
                                                    std::string_view name) {
  if (!is_valid_note_name(name))
    return fail(Errc::config,
                "ledger origin \"{}\" must be printable, without spaces or plus signs", name);
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return std::unexpected(system_error(errno, "look at " + path.string()));
    Ed25519Signer made = generate(std::string(name));
    // The public half first: a crash between the two leaves no key that nobody can verify.
    std::filesystem::path pub = path;
    pub += ".pub";
    KAPOK_TRY(replace_file(pub, as_bytes(made.verifier().text() + "\n"), 0644));
    KAPOK_TRY(replace_file(path, as_bytes(made.text() + "\n"), 0600));
    return made;
  }
  if ((status.st_mode & 0077) != 0)
    return fail(Errc::config, "{} can be read by others; run: chmod 600 {}", path.string(),
                path.string());
  const Bytes text = KAPOK_TRY(read_small_file(path, kMaxNoteBytes));
  Result<Ed25519Signer> signer = parse(as_text(text));
  if (!signer) return std::unexpected(std::move(signer).error().within(path.string()));
  if (signer->verifier().name() != name)
    return fail(Errc::config,
                "{} is the key of log \"{}\", not of \"{}\": an origin never changes; set "
                "ledger.origin back, or begin a new log in another folder",
                path.string(), signer->verifier().name(), name);
  return signer;
}

Result<OpenedNote> open_note(std::string_view note, std::span<const Ed25519Verifier> verifiers) {
  if (note.size() > kMaxNoteBytes) return fail(Errc::limit, "note too long");
  // [signed-note] the text ends with its last newline before the last empty line.
  const std::size_t split = note.rfind("\n\n");
  if (split == std::string_view::npos || !note.ends_with('\n'))
    return fail(Errc::malformed, "note has no signatures");
  OpenedNote out;
  out.text = note.substr(0, split + 1);
  std::string_view lines = note.substr(split + 2);
  if (lines.empty()) return fail(Errc::malformed, "note has no signatures");
  std::size_t count = 0;
  while (!lines.empty()) {
    if (++count > kMaxNoteSignatures) return fail(Errc::limit, "note has too many signatures");
    const auto line = cut_line(lines);
    if (!line || !line->starts_with(kDash))
      return fail(Errc::malformed, "note signature line is broken");
    const std::string_view body = line->substr(kDash.size());
    const std::size_t space = body.find(' ');
    if (space == std::string_view::npos)
      return fail(Errc::malformed, "note signature line is broken");
    const std::string_view name = body.substr(0, space);
    const std::optional<Bytes> blob = from_base64(body.substr(space + 1));
    if (!is_valid_note_name(name) || !blob || blob->size() < 5)
      return fail(Errc::malformed, "note signature line is broken");
    const ByteSpan id = ByteSpan(*blob).first(4);
    const auto known = std::ranges::find_if(verifiers, [&](const Ed25519Verifier& verifier) {
      return verifier.name() == name && std::ranges::equal(verifier.key_id(), id);
    });
    if (known == verifiers.end()) {
      out.unknown.emplace_back(name);
      continue;
    }
    if (!known->verify(out.text, ByteSpan(*blob).subspan(4)))
      return fail(Errc::denied, "the signature of {} is wrong", name);
    if (std::ranges::find(out.verified, name) == out.verified.end())
      out.verified.emplace_back(name);
  }
  if (out.verified.empty())
    return fail(Errc::denied, "none of the signatures is by the key that was asked for");
  return out;
}

}  // namespace kapok::ledger
