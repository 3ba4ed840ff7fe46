// Arbitrary text as a session token: never opened unless signed, and a signed body of any content
// (the second half of the input) never crashes the parser behind the signature.
#include <cstdlib>

#include "server/access/session_token.hpp"
#include "server/base/crypto.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kapok;
  static const Bytes kSecret(32, std::byte{7});
  static const access::TokenSigner kSigner({{1, kSecret}});
  const UtcTime now{seconds(1'790'000'000)};
  const ByteSpan input = as_bytes(data, size);
  if (kSigner.open(as_text(input), now)) std::abort();  // would need a forged HMAC

  if (size > 120) return 0;
  Bytes body{std::byte{1}, std::byte{1}};
  body.insert(body.end(), input.begin(), input.end());
  Bytes message = to_bytes("kapok session token 1\n");
  message.insert(message.end(), body.begin(), body.end());
  const Digest256 mac = hmac_sha256(kSecret, message);
  body.insert(body.end(), mac.begin(), mac.begin() + 16);
  const auto opened = kSigner.open(to_base64url(body), now);
  if (opened && kSigner.issue(*opened) != to_base64url(body)) std::abort();
  return 0;
}
