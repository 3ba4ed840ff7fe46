#include "server/picture/protocols/srt/key_material.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "server/base/crypto.hpp"

namespace kapok::srt {
namespace {

constexpr std::string_view kPassphrase = "correct horse battery";

Bytes hex(std::string_view text) {
  return *from_hex(text);
}
Salt counting_salt() {
  Salt salt;
  for (std::size_t i = 0; i < salt.size(); ++i) salt[i] = static_cast<std::byte>(i);
  return salt;
}
std::string hex_of(const SecretKey& key) {
  return to_hex(key.bytes());
}

// openssl kdf -keylen N -kdfopt digest:SHA1 -kdfopt pass:... -kdfopt hexsalt:08090a0b0c0d0e0f
//   -kdfopt iter:2048 PBKDF2
TEST(KeyMaterial, WrappingKeyComesFromTheLastEightBytesOfTheSalt) {
  const std::string all = "805becc03c656e51b1a8e7d1b11ebfb396eab54e7e661c4240b9ac5a5f4800ed";
  for (const std::size_t size : {16U, 24U, 32U})
    EXPECT_EQ(hex_of(derive_wrapping_key(kPassphrase, counting_salt(), size)),
              all.substr(0, size * 2));
}

// [RFC 3394 4.1, 4.6]
TEST(KeyMaterial, UnwrapsTheVectorsOfRfc3394) {
  const Bytes kek = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  const Bytes short_wrap = hex("1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5");
  const KeyMaterialHead short_head{.has_even = true, .key_bytes = 16, .wrapped = short_wrap};
  const auto one = unwrap_key_material(short_head, SecretKey(ByteSpan(kek).first(16)));
  ASSERT_TRUE(one);
  EXPECT_EQ(hex_of(*one->even), "00112233445566778899aabbccddeeff");
  EXPECT_FALSE(one->odd);

  const Bytes long_wrap =
      hex("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21");
  KeyMaterialHead long_head{.has_odd = true, .key_bytes = 32, .wrapped = long_wrap};
  const auto odd = unwrap_key_material(long_head, SecretKey(kek));
  ASSERT_TRUE(odd);
  EXPECT_EQ(hex_of(*odd->odd), "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");

  // The same bytes as two keys of half the length: even first [draft 3.2.2].
  long_head.has_even = true;
  long_head.key_bytes = 16;
  const auto both = unwrap_key_material(long_head, SecretKey(kek));
  ASSERT_TRUE(both);
  EXPECT_EQ(hex_of(*both->even), "00112233445566778899aabbccddeeff");
  EXPECT_EQ(hex_of(*both->odd), "000102030405060708090a0b0c0d0e0f");
}

TEST(KeyMaterial, WritesWhatItReads) {
  for (const auto mode : {CipherMode::ctr, CipherMode::gcm})
    for (const std::size_t size : {16U, 24U, 32U})
      for (const int keys : {1, 2, 3}) {
        KeyMaterial material{.mode = mode, .salt = counting_salt(), .even = {}, .odd = {}};
        if ((keys & 1) != 0) material.even = SecretKey::random(size);
        if ((keys & 2) != 0) material.odd = SecretKey::random(size);
        const SecretKey kek = derive_wrapping_key(kPassphrase, material.salt, size);
        const Bytes message = write_key_material(material, kek);
        EXPECT_EQ(message.size(), 32 + size * (keys == 3 ? 2 : 1) + 8);
        const auto head = parse_key_material(message);
        ASSERT_TRUE(head);
        EXPECT_EQ(head->mode, mode);
        EXPECT_EQ(head->salt, material.salt);
        const auto back = unwrap_key_material(*head, kek);
        ASSERT_TRUE(back);
        ASSERT_EQ(back->even.has_value(), material.even.has_value());
        ASSERT_EQ(back->odd.has_value(), material.odd.has_value());
        if (back->even) EXPECT_EQ(hex_of(*back->even), hex_of(*material.even));
        if (back->odd) EXPECT_EQ(hex_of(*back->odd), hex_of(*material.odd));
        const auto other = derive_wrapping_key("another passphrase", material.salt, size);
        EXPECT_EQ(unwrap_key_material(*head, other).error().code, Errc::denied);
      }
}

// What libsrt 1.5.1 sent in a key refresh with 256 bits.
TEST(KeyMaterial, UnwrapsARefreshOfLibsrt) {
  const Bytes message =
      hex("12202903000000000200020000000408ff4af15ac5437c2c95461db331aaab766439840816c09c90e07bad13"
          "cc5b47e2d33cc78496ccc5cfd3c1a6efdadda67f828e4d8dbcd69a88737b3d989a80065cacb0812d05ae3dc9"
          "142ad30db12f990488b721c4310a79bc");
  const auto head = parse_key_material(message);
  ASSERT_TRUE(head);
  EXPECT_TRUE(head->has_even && head->has_odd);
  EXPECT_EQ(head->key_bytes, 32U);
  EXPECT_TRUE(
      unwrap_key_material(*head, derive_wrapping_key(kPassphrase, head->salt, head->key_bytes)));
}

TEST(KeyMaterial, LengthsAreExact) {
  const KeyMaterial material{
      .mode = CipherMode::ctr, .salt = counting_salt(), .even = SecretKey::random(16), .odd = {}};
  const Bytes message =
      write_key_material(material, derive_wrapping_key(kPassphrase, material.salt, 16));
  for (std::size_t size = 0; size < message.size(); ++size)
    EXPECT_FALSE(parse_key_material(ByteSpan(message).first(size))) << size;
  Bytes longer = message;
  longer.resize(1352);  // the overflow of CVE-2026-55869
  EXPECT_EQ(parse_key_material(longer).error().code, Errc::malformed);
}

TEST(KeyMaterial, FieldsOutsideTheSpecificationAreRefused) {
  const KeyMaterial material{
      .mode = CipherMode::ctr, .salt = counting_salt(), .even = SecretKey::random(16), .odd = {}};
  const Bytes good =
      write_key_material(material, derive_wrapping_key(kPassphrase, material.salt, 16));
  const struct {
    std::size_t at;
    std::uint8_t value;
    Errc code;
  } kCases[] = {
      {0, 0x92, Errc::malformed},     // reserved top bit
      {0, 0x22, Errc::malformed},     // version
      {1, 0x21, Errc::malformed},     // signature
      {3, 0x00, Errc::malformed},     // no key
      {3, 0x03, Errc::malformed},     // two keys, room for one
      {7, 0x01, Errc::unsupported},   // an indexed wrapping key
      {8, 0x00, Errc::unsupported},   // no cipher
      {8, 0x04, Errc::unsupported},   // GCM without authentication
      {9, 0x01, Errc::unsupported},   // authentication without GCM
      {10, 0x01, Errc::unsupported},  // encapsulation
      {14, 0x00, Errc::unsupported},  // no salt
      {14, 0xFF, Errc::unsupported},  // salt of 1020 bytes
      {15, 0x05, Errc::unsupported},  // keys of 20 bytes
      {15, 0x08, Errc::malformed},    // keys of 32 bytes, room for 16
  };
  for (const auto& c : kCases) {
    Bytes bad = good;
    bad[c.at] = static_cast<std::byte>(c.value);
    const auto head = parse_key_material(bad);
    ASSERT_FALSE(head) << c.at << " = " << int(c.value);
    EXPECT_EQ(head.error().code, c.code) << c.at << " = " << int(c.value);
  }
}

TEST(KeyMaterial, RefusalsAreReadInBothByteOrders) {
  EXPECT_EQ(to_hex(write_key_state(KmState::bad_secret)), "04000000");  // as libsrt 1.5.1
  EXPECT_EQ(parse_key_state(hex("04000000")), KmState::bad_secret);
  EXPECT_EQ(parse_key_state(hex("00000003")), KmState::no_secret);
  EXPECT_EQ(parse_key_state(hex("00000000")), KmState::unsecured);
  EXPECT_EQ(parse_key_state(hex("06000000")), std::nullopt);
  EXPECT_EQ(parse_key_state(hex("03000003")), std::nullopt);
  EXPECT_EQ(parse_key_state(hex("030000")), std::nullopt);
  EXPECT_EQ(parse_key_state(hex("0300000000000000")), std::nullopt);
}

TEST(KeyMaterial, PassphrasesHaveTenToSeventyNineBytes) {
  EXPECT_FALSE(check_passphrase(std::string(9, 'x')));
  EXPECT_TRUE(check_passphrase(std::string(10, 'x')));
  EXPECT_TRUE(check_passphrase(std::string(79, 'x')));
  EXPECT_EQ(check_passphrase(std::string(80, 'x')).error().code, Errc::config);
}

}  // namespace
}  // namespace kapok::srt
