// Any bytes as key material: of a refresh, as the answer to one, and without the passphrase.
#include <cstdint>
#include <cstdlib>

#include "server/picture/protocols/srt/encryption.hpp"

using namespace kapok;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto make = [] {
    auto link = *srt::Encryption::initiate({.passphrase = "correct horse battery"});
    const Bytes answer(link->key_message().begin(), link->key_message().end());
    if (!link->confirm(answer, 0x010505)) std::abort();
    return link;
  };
  static const auto link = make();
  const ByteSpan bytes = as_bytes(data, size);

  [[maybe_unused]] const auto state = srt::parse_key_state(bytes);
  const auto head = srt::parse_key_material(bytes);
  if (head) {
    // Deriving a key takes a millisecond: one is kept for each length.
    static const srt::SecretKey keys[] = {srt::SecretKey(Bytes(16)), srt::SecretKey(Bytes(24)),
                                          srt::SecretKey(Bytes(32))};
    if (srt::unwrap_key_material(*head, keys[head->key_bytes / 8 - 2])) std::abort();
    if (size > srt::kMaxKeyMaterialBytes) std::abort();
  }
  // What is no key material of this link is answered by a state, and the link goes on.
  const Bytes answer = link->receive_request(bytes);
  if (answer.size() != 4 && (!head || answer.size() != size)) std::abort();
  link->receive_response(bytes);
  std::array<std::byte, 16> header{};
  header[4] = std::byte{0xC8};
  Bytes payload(188);
  link->encrypt(header, payload, payload);
  return 0;
}
