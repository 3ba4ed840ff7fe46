#include "server/picture/protocols/srt/cipher.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "server/base/crypto.hpp"

namespace kapok::srt {
namespace {

std::array<std::byte, 16> head(std::uint32_t sequence) {
  std::array<std::byte, 16> bytes{};
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<std::byte>(sequence >> (24 - 8 * i));
  bytes[4] = std::byte{0xC8};
  return bytes;
}

Bytes counting(std::size_t first, std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(first + i);
  return bytes;
}

Salt counting_salt() {
  Salt salt;
  std::ranges::copy(counting(0, salt.size()), salt.begin());
  return salt;
}

// openssl enc -aes-N-ctr, key 10 11 12 ..., the counter made of salt 00 01 .. 0f and index as in
// [draft 6.2.2]; the index wraps at 31 bits.
TEST(Cipher, CounterModeAtTheWrapOfThePacketIndex) {
  const struct {
    std::size_t key_bytes;
    std::uint32_t sequence;
    std::string_view expected;
  } kCases[] = {
      {16, 1, "de55f3f7aedab870b85e7e5ea307b8e7bf4fb30e509041d4b9d0e3a8c0b8b5470987902c732480fc"},
      {16, 0x7FFF'FFFE,
       "e3d74a43c3b803b2425c498831da7fdc797b2981991fdaf0d6f2205fa30223426b8ebc5b88e19ab1"},
      {16, 0x7FFF'FFFF,
       "538b95aea8b79d86abb45330bfd94ad1554b3e28c2de525304416ad1464c9e89c1b482d210bb1b73"},
      {16, 0, "e115ef0aa9da8d4d0b1dbc5dfb884394cfb5fe209d83cf4041d238ff5862fa7e2bd9f7a7be2d321b"},
      {24, 0x7FFF'FFFF,
       "02da552866c2c824053b9be2cc38e3d167570947ee6f015f3c05b84361fa9d44cf37d5b421fd9be9"},
      {32, 0x7FFF'FFFF,
       "23e5ecf747f7258a93683020dc0ae30782e02741c506eeb211aa09d2dfd8680a7f0b9c3ea6cbb693"},
      {32, 0, "b6f476dc9153ec9b8175b217f5b5fd89e88681f9294a81689b63c2332e3c4a13cee808291aeb91d0"},
  };
  for (const auto& c : kCases) {
    const SecretKey key(counting(0x10, c.key_bytes));
    Cipher encrypt(Cipher::Direction::encrypt, {.salt = counting_salt()}, key);
    Bytes bytes = counting(0, 40);
    encrypt.encrypt(head(c.sequence), bytes, bytes);
    EXPECT_EQ(to_hex(bytes), c.expected);
    Cipher decrypt(Cipher::Direction::decrypt, {.salt = counting_salt()}, key);
    EXPECT_EQ(decrypt.decrypt(head(c.sequence), bytes, bytes), 40U);
    EXPECT_EQ(bytes, counting(0, 40));
  }
}

// NIST CAVP gcmEncryptExtIV128, Keylen 128, IVlen 96, PTlen 128, AADlen 128, count 0: the salt is
// chosen so that nonce XOR index gives the vector's IV. The vector's tag has the flag of a
// retransmission in its header, which SRT leaves out: encryption_test.cpp has libsrt's tags.
TEST(Cipher, GcmMatchesAnNistVector) {
  const Bytes aad = *from_hex("24825602bd12a984e0092d3e448eda5f");
  const Bytes iv = *from_hex("b3d8cc017cbb89b39e0f67e2");
  Salt salt{};
  std::ranges::copy(iv, salt.begin());
  for (std::size_t i = 0; i < 4; ++i) salt[8 + i] ^= aad[i];
  const SecretKey key(*from_hex("c939cc13397c1d37de6ae0e1cb7c423c"));

  Bytes bytes = *from_hex("c3b3c41f113a31b73d9a5cd432103069");
  bytes.resize(32);
  Cipher encrypt(Cipher::Direction::encrypt, {.mode = CipherMode::gcm, .salt = salt}, key);
  encrypt.encrypt(PacketHead(aad.data(), 16), ByteSpan(bytes).first(16), bytes);
  EXPECT_EQ(to_hex(ByteSpan(bytes).first(16)), "93fe7d9e9bfd10348a5606e5cafa7354");
}

TEST(Cipher, GcmRefusesWhatWasChanged) {
  for (const std::size_t size : {16U, 32U}) {
    const SecretKey key = SecretKey::random(size);
    const Cipher::Options options{.mode = CipherMode::gcm, .salt = counting_salt()};
    Cipher encrypt(Cipher::Direction::encrypt, options, key);
    Cipher decrypt(Cipher::Direction::decrypt, options, key);
    Bytes sealed(188 + kTagBytes);
    encrypt.encrypt(head(7), counting(0, 188), sealed);

    Bytes plain(188);
    EXPECT_EQ(decrypt.decrypt(head(7), sealed, plain), 188U);
    EXPECT_EQ(plain, counting(0, 188));
    // A retransmission carries a flag that its first sending had not.
    auto again = head(7);
    again[4] |= std::byte{0x04};
    EXPECT_TRUE(decrypt.decrypt(again, sealed, plain));

    auto later = head(7);
    later[11] ^= std::byte{1};  // the timestamp
    EXPECT_FALSE(decrypt.decrypt(later, sealed, plain));
    EXPECT_FALSE(decrypt.decrypt(head(8), sealed, plain));
    for (const std::size_t at : {0U, 187U, 188U, 203U}) {
      Bytes forged = sealed;
      forged[at] ^= std::byte{1};
      EXPECT_FALSE(decrypt.decrypt(head(7), forged, plain)) << at;
    }
    EXPECT_FALSE(decrypt.decrypt(head(7), ByteSpan(sealed).first(15), plain));
    EXPECT_FALSE(decrypt.decrypt(head(7), {}, plain));
    // And goes on after that.
    EXPECT_TRUE(decrypt.decrypt(head(7), sealed, plain));
  }
}

TEST(Cipher, TheOlderFormOfGcmIsAnother) {
  const SecretKey key = SecretKey::random(16);
  Cipher::Options options{.mode = CipherMode::gcm, .salt = counting_salt()};
  Cipher standard(Cipher::Direction::decrypt, options, key);
  options.gcm = GcmForm::libsrt_1_5_3;
  Cipher encrypt(Cipher::Direction::encrypt, options, key);
  Cipher decrypt(Cipher::Direction::decrypt, options, key);
  Bytes sealed(20 + kTagBytes);
  Bytes plain(20);
  encrypt.encrypt(head(0x12345678), counting(0, 20), sealed);
  EXPECT_FALSE(standard.decrypt(head(0x12345678), sealed, plain));
  EXPECT_TRUE(decrypt.decrypt(head(0x12345678), sealed, plain));
  EXPECT_EQ(plain, counting(0, 20));
}

}  // namespace
}  // namespace kapok::srt
