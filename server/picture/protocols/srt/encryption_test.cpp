#include "server/picture/protocols/srt/encryption.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "server/base/crypto.hpp"

namespace kapok::srt {
namespace {

constexpr std::uint32_t kVersion = 0x010505;
constexpr microseconds kRtt{20'000};

EncryptionOptions options(std::size_t key_bytes = 16, CipherMode mode = CipherMode::ctr) {
  return {.passphrase = "correct horse battery", .mode = mode, .key_bytes = key_bytes};
}
Bytes copy(ByteSpan bytes) {
  return {bytes.begin(), bytes.end()};
}

std::array<std::byte, 16> head(std::uint32_t sequence, Parity parity) {
  std::array<std::byte, 16> bytes{};
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<std::byte>(sequence >> (24 - 8 * i));
  bytes[4] = static_cast<std::byte>(0xC0 | static_cast<std::uint8_t>(parity) << 3);
  return bytes;
}

struct Pair {
  std::unique_ptr<Encryption> caller;
  std::unique_ptr<Encryption> listener;
};
Pair connected(EncryptionOptions of_caller) {
  Pair pair;
  pair.caller = *Encryption::initiate(of_caller);
  pair.listener = std::move(*Encryption::accept(options(), pair.caller->key_message(), kVersion));
  EXPECT_TRUE(pair.caller->confirm(pair.listener->key_message(), kVersion));
  return pair;
}

// One packet across; true when the same bytes come out.
bool passes(Encryption& from, Encryption& to, std::uint32_t sequence) {
  const Bytes plain(100, std::byte{0x47});
  Bytes sealed(plain.size() + from.overhead_bytes());
  const auto header = head(sequence, from.sending_parity());
  from.encrypt(header, plain, sealed);
  Bytes out(plain.size());
  return to.decrypt(header, sealed, out) == plain.size() && out == plain &&
         !std::ranges::equal(ByteSpan(sealed).first(plain.size()), plain);
}

template <class T>
RejectReason refusal(const OrRefusal<T>& result) {
  EXPECT_FALSE(result);
  return result ? RejectReason::unknown : result.error().reason;
}

TEST(Encryption, BothDirectionsWorkAfterTheHandshake) {
  for (const auto mode : {CipherMode::ctr, CipherMode::gcm})
    for (const std::size_t size : {16U, 24U, 32U}) {
      const Pair pair = connected(options(size, mode));
      EXPECT_TRUE(passes(*pair.caller, *pair.listener, 5));
      EXPECT_TRUE(passes(*pair.listener, *pair.caller, 6));
      EXPECT_EQ(pair.listener->name(),
                fmt::format("aes-{}-{}", mode == CipherMode::ctr ? "ctr" : "gcm", size * 8));
      EXPECT_EQ(pair.listener->overhead_bytes(), mode == CipherMode::ctr ? 0U : 16U);
    }
}

TEST(Encryption, AListenerWithAPassphraseTakesNothingElse) {
  const auto caller = *Encryption::initiate(options());
  const Bytes request = copy(caller->key_message());
  EXPECT_EQ(refusal(Encryption::accept(options(), std::nullopt, kVersion)), RejectReason::unsecure);
  EncryptionOptions other = options();
  other.passphrase = "another passphrase";
  EXPECT_EQ(refusal(Encryption::accept(other, request, kVersion)), RejectReason::bad_secret);
  EXPECT_EQ(refusal(Encryption::accept(options(), ByteSpan(request).first(40), kVersion)),
            RejectReason::rogue);
  EXPECT_EQ(refusal(Encryption::accept(options(), ByteSpan{}, kVersion)), RejectReason::rogue);
  Bytes block_chaining = request;
  block_chaining[8] = std::byte{3};
  EXPECT_EQ(refusal(Encryption::accept(options(), block_chaining, kVersion)), RejectReason::crypto);
}

TEST(Encryption, AListenerWithoutAPassphraseRefusesEncryption) {
  const auto caller = *Encryption::initiate(options());
  EXPECT_EQ(refusal(Encryption::accept({}, caller->key_message(), kVersion)),
            RejectReason::unsecure);
  const auto clear = Encryption::accept({}, std::nullopt, kVersion);
  ASSERT_TRUE(clear);
  EXPECT_EQ(*clear, nullptr);
  EXPECT_TRUE(Encryption::check_clear(std::nullopt));
  EXPECT_EQ(refusal(Encryption::check_clear(caller->key_message())), RejectReason::unsecure);
}

TEST(Encryption, ACallerTakesOnlyItsOwnKeyBack) {
  const auto answer = [](Bytes response) {
    const auto caller = *Encryption::initiate(options());
    return refusal(caller->confirm(response, kVersion));
  };
  EXPECT_EQ(answer(write_key_state(KmState::bad_secret)), RejectReason::bad_secret);
  EXPECT_EQ(answer(write_key_state(KmState::no_secret)), RejectReason::unsecure);
  EXPECT_EQ(answer(write_key_state(KmState::bad_cipher_mode)), RejectReason::crypto);
  EXPECT_EQ(answer(copy((*Encryption::initiate(options()))->key_message())), RejectReason::rogue);
  EXPECT_EQ(answer({}), RejectReason::rogue);
  EXPECT_EQ(refusal((*Encryption::initiate(options()))->confirm(std::nullopt, kVersion)),
            RejectReason::unsecure);
}

TEST(Encryption, SettingsOutOfBoundsAreAConfigurationError) {
  EXPECT_EQ(Encryption::initiate(options(20)).error().code, Errc::config);
  EXPECT_EQ(Encryption::initiate({.passphrase = "short"}).error().code, Errc::config);
}

// What libsrt 1.5.1 sent: key material of the handshake, then its first data packet (cut short:
// counter mode does not mind), seven times TS null packets.
TEST(Encryption, DecryptsWhatLibsrtSent) {
  const struct {
    unsigned key_bytes;
    std::string_view key_material;
    std::string_view packet;
  } kCases[] = {
      {16,
       "12202901000000000200020000000404642bafd41d165899a4137461ffd5b6be9008d495a17563476325"
       "fd94a4cd814955d296598b35166f",
       "01ba3cb9c80000010007eb8f24326e21d7ef23de16cecf778a22d999c7e34b561e9920f7b9cde0263a28"
       "df352b854cb963cdb83733f86390"},
      {24,
       "122029010000000002000200000004066d49d3cfb28aba109e29dbe920447807e399e0eb272575978e0e"
       "08bd0167439e095b2292614802943b0c69dfd5d0ae2b",
       "30673441c8000001000f2a3001037765f989a583e19fd8bacc2e0ddc989f0398ebf16dd4e0d6ae582da0"
       "26c01d2afde91c3f3b35a097fb9a"},
      {32,
       "12202901000000000200020000000408ec588acb48762a3910b7ae3bf1fa459e8a45d27c51fdcfe9dd82"
       "55586685c0ddb5371c367b371f3c902a8be4ed1dfe62e1f14a5634b9952a",
       "3aa5271dc800000100068ecb1db85ff6ff860138812773e4a49808a62d4d92e8f715c9e35da702dec712"
       "dac71816c429cde2d9ecc730927e"},
  };
  for (const auto& c : kCases) {
    const Bytes request = *from_hex(c.key_material);
    const auto listener = Encryption::accept(options(), request, 0x010501);
    ASSERT_TRUE(listener) << listener.error().why;
    EXPECT_EQ((*listener)->name(), fmt::format("aes-ctr-{}", c.key_bytes * 8));
    EXPECT_TRUE(std::ranges::equal((*listener)->key_message(), request));
    Bytes packet = *from_hex(c.packet);
    const std::span<std::byte> payload = std::span(packet).subspan(16);
    EXPECT_EQ((*listener)->decrypt(PacketHead(packet.data(), 16), payload, payload), 40U);
    EXPECT_EQ(to_hex(payload.first(10)), "471fff1000000000ffff");
  }
}

// What libsrt 1.5.5 and 1.5.3 sent with AES-GCM: one TS null packet and its tag.
TEST(Encryption, OpensWhatLibsrtSealed) {
  const struct {
    unsigned key_bytes;
    std::uint32_t version;
    std::string_view key_material;
    std::string_view packet;
  } kCases[] = {
      {16, 0x010505,
       "122029010000000004010200000004044bd3d9e506bb8d350f82aa781ed7e7b48051059c197ba33019ad"
       "769da600e0fc114b2b18c75fcaf9",
       "33cd49cec80000010004bbb336216d9476756e53c9cbc56fe638e50241e1e4f5078f61845052df2a87f1"
       "ee59f1a6d2ae245c1a925d498b7d1660747748b45f27481b6a5750519ae5922f6f1a9ef9b360fc412d8b"
       "47b421276c07bc0f63fa306815fcea6a2139c700b7980c002ac39d8674c3f34f9db6a25e899f618dfc77"
       "8ecac02dde8b409f9b240b7ede4d1bbf0c28b98019e13634233f50bed1f262e30047d2b99b8431610a63"
       "6dd79416055479538b385c6c1250c2a2c1683383ff1c68fd1e09e84b2aaf8e8dcd9cfbd6952366c87613"
       "b255a9691bb861f70200"},
      {32, 0x010505,
       "122029010000000004010200000004080459172d5ca06f919eb3857dceacc91eeedab84a6e0dbd8c3551"
       "a9a8486951b86a6d23a99cfbba44f936ef50906d046c260b625ebb69ad74",
       "21ace290c80000010004e9291603c8e30a881919c8f52d8af31a1a9a5a52d483c1c88f42ab408ba342fb"
       "af26ea658d5c41a7d56411f8523895201ee87477053e60f2ef0d8c7cff375e115a687bd68ba4315411a5"
       "43592bcfb6ecabd4818b64c0adc9a75e86aa26961efa44139dd80555731db725f4b0759771d034eb71c2"
       "43d01910cb3eecfd439aeb7f4c059fe1fafc19dbc07769e9efd4880d77a0229a78ba4ba40e6f4be8fb5d"
       "d36317008affd72cb76964ce000379a2e6ed5b7c08ae97b59da6c8e6e32e50feb183339f1997e985b7c1"
       "ac8a304da1742c052881"},
      {16, 0x010503,
       "12202901000000000401020000000404268b2696273f55975128cced59db1ebbe758170e5bcf73e0c62a"
       "5d66ddad7d693cdda33fc7facf97",
       "548066fbc80000010004caf91190a2c79d0aa7e3de45678fb45bed8ad783f499f1562fac5077adf5eaae"
       "eedb05b2fb24c20b3e210350278f2352a94882a3e8f63a3d682ff2a1ffd3e1cd04cf47bff7f9bbd9bd10"
       "58af7981545755ad0e88be275fb450b024642ac584ed62b780bcce4265ae5992f5920a5faeadc862083e"
       "a380cdcabfa986b45172f216d7bc0c82ba63166ec8569f5d5edca5fa2554ec7797e5aac296958a7697d3"
       "c06887dbef67c115882326c92ebb505264a6b3c5f23e2d49d1ef7d971402b0acc4751cc3238252400bec"
       "f7f0801f6cf55ec25d2f"},
  };
  for (const auto& c : kCases) {
    const auto listener = Encryption::accept(options(), *from_hex(c.key_material), c.version);
    ASSERT_TRUE(listener) << listener.error().why;
    EXPECT_EQ((*listener)->name(), fmt::format("aes-gcm-{}", c.key_bytes * 8));
    Bytes packet = *from_hex(c.packet);
    const std::span<std::byte> payload = std::span(packet).subspan(16);
    EXPECT_EQ((*listener)->decrypt(PacketHead(packet.data(), 16), payload, payload), 188U);
    EXPECT_EQ(to_hex(payload.first(10)), "471fff1000000000ffff");
  }
}

TEST(Encryption, PacketsWithoutAKnownKeyAreNotDecrypted) {
  const Pair pair = connected(options());
  const Bytes sealed(50);
  Bytes out(50);
  EXPECT_FALSE(pair.listener->decrypt(head(1, Parity::odd), sealed, out));
  auto clear = head(1, Parity::even);
  clear[4] &= ~std::byte{0x18};
  EXPECT_FALSE(pair.listener->decrypt(clear, sealed, out));
  clear[4] |= std::byte{0x18};
  EXPECT_FALSE(pair.listener->decrypt(clear, sealed, out));
}

class Refresh : public testing::Test {
 protected:
  static constexpr std::uint32_t kRate = 100;
  static constexpr std::uint32_t kAnnounce = 30;

  Refresh() {
    EncryptionOptions quick = options(32, CipherMode::gcm);
    quick.refresh_packets = kRate;
    quick.announce_packets = kAnnounce;
    pair_ = connected(quick);
  }
  void send(std::uint32_t packets) {
    for (std::uint32_t i = 0; i < packets; ++i)
      EXPECT_TRUE(passes(*pair_.caller, *pair_.listener, sequence_++)) << sequence_;
  }
  std::optional<Bytes> announcement() {
    const auto due = pair_.caller->announcement_due(clock_.mono(), kRtt);
    if (!due) return std::nullopt;
    return copy(*due);
  }

  Pair pair_;
  FakeClock clock_;
  std::uint32_t sequence_ = 0x7FFF'FFC0;
};

TEST_F(Refresh, TheKeyIsAnnouncedThenSwitchedAgainAndAgain) {
  Parity parity = pair_.caller->sending_parity();
  EXPECT_EQ(parity, Parity::even);
  for (int round = 0; round < 4; ++round) {
    send(kRate - kAnnounce);
    EXPECT_FALSE(announcement());
    send(1);
    const auto message = announcement();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->size(), kMaxKeyMaterialBytes);
    const Bytes response = pair_.listener->receive_request(*message);
    EXPECT_EQ(response, *message);
    pair_.caller->receive_response(response);
    EXPECT_FALSE(announcement());
    EXPECT_EQ(pair_.caller->sending_parity(), parity);
    send(kAnnounce);
    EXPECT_EQ(pair_.caller->sending_parity(), other(parity));
    parity = other(parity);
  }
}

TEST_F(Refresh, PacketsOfTheOldKeyMayComeAfterTheSwitch) {
  const Bytes plain(10, std::byte{1});
  Bytes late(10 + kTagBytes);
  const auto header = head(sequence_++, Parity::even);
  pair_.caller->encrypt(header, plain, late);
  send(kRate - kAnnounce);
  pair_.caller->receive_response(pair_.listener->receive_request(*announcement()));
  send(kAnnounce + 5);
  EXPECT_EQ(pair_.caller->sending_parity(), Parity::odd);
  Bytes out(10);
  EXPECT_TRUE(pair_.listener->decrypt(header, late, out));
}

TEST_F(Refresh, AnAnnouncementIsRepeatedUntilAnswered) {
  send(kRate - kAnnounce + 1);
  EXPECT_EQ(pair_.caller->next_deadline(kRtt), MonoTime::min());
  const auto first = announcement();
  ASSERT_TRUE(first);
  EXPECT_FALSE(announcement());
  EXPECT_EQ(pair_.caller->next_deadline(kRtt), clock_.mono() + kRtt * 3 / 2);
  clock_.advance(kRtt * 3 / 2);
  EXPECT_EQ(announcement(), first);
  // No switch while the peer may still answer.
  send(kAnnounce + 50);
  EXPECT_EQ(pair_.caller->sending_parity(), Parity::even);
  pair_.caller->receive_response(pair_.listener->receive_request(*first));
  EXPECT_EQ(pair_.caller->next_deadline(kRtt), MonoTime::max());
  send(1);
  EXPECT_EQ(pair_.caller->sending_parity(), Parity::odd);
}

TEST_F(Refresh, AfterTenTriesTheKeyIsSwitchedAsLibsrtDoes) {
  send(kRate - kAnnounce + 1);
  int tries = 0;
  for (int i = 0; i < 100; ++i) {
    if (announcement()) ++tries;
    clock_.advance(seconds(1));
  }
  EXPECT_EQ(tries, 10);
  send(kAnnounce);
  EXPECT_EQ(pair_.caller->sending_parity(), Parity::odd);
}

TEST_F(Refresh, NothingThatComesLaterWeakensTheLink) {
  const auto state = [&](const Bytes& request) {
    return parse_key_state(pair_.listener->receive_request(request));
  };
  EncryptionOptions other = options(32, CipherMode::gcm);
  EXPECT_EQ(state(copy((*Encryption::initiate(other))->key_message())), KmState::bad_secret);
  other.mode = CipherMode::ctr;
  EXPECT_EQ(state(copy((*Encryption::initiate(other))->key_message())), KmState::bad_cipher_mode);
  other = options(16, CipherMode::gcm);
  EXPECT_EQ(state(copy((*Encryption::initiate(other))->key_message())), KmState::bad_secret);
  Bytes broken = copy(pair_.caller->key_message());
  broken.back() ^= std::byte{1};
  EXPECT_EQ(state(broken), KmState::bad_secret);
  EXPECT_EQ(state({}), KmState::no_secret);
  EXPECT_EQ(state(Bytes(1352)), KmState::no_secret);
  pair_.caller->receive_response(write_key_state(KmState::no_secret));
  pair_.caller->receive_response({});
  send(10);
}

}  // namespace
}  // namespace kapok::srt
