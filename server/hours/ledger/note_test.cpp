#include "server/hours/ledger/note.hpp"

#include <gtest/gtest.h>

namespace kapok::ledger {
namespace {

// [Go golang.org/x/mod/sumdb/note, its documentation] key and note made by another implementation.
constexpr std::string_view kForeignSigner =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
constexpr std::string_view kForeignVerifier =
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr std::string_view kForeignNote =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\xE2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    "\n";

std::vector<std::unique_ptr<const NoteSigner>> signers_of(Ed25519Signer signer) {
  std::vector<std::unique_ptr<const NoteSigner>> out;
  out.push_back(std::make_unique<Ed25519Signer>(std::move(signer)));
  return out;
}

TEST(Note, ANoteOfAnotherImplementationIsVerified) {
  const Ed25519Verifier verifier = Ed25519Verifier::parse(kForeignVerifier).value();
  const auto opened = open_note(kForeignNote, std::span(&verifier, 1));
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->verified, std::vector<std::string>{"PeterNeumann"});
}

TEST(Note, ItsKeySignsTheSameNoteAgain) {
  const Ed25519Signer signer = Ed25519Signer::parse(kForeignSigner).value();
  EXPECT_EQ(signer.verifier().text(), kForeignVerifier);
  EXPECT_EQ(signer.text(), kForeignSigner);
  const std::string_view text = kForeignNote.substr(0, kForeignNote.find("\n\n") + 1);
  EXPECT_EQ(sign_note(text, signers_of(signer)), kForeignNote);
}

TEST(Note, EveryFlippedBitIsNoticed) {
  const Ed25519Verifier verifier = Ed25519Verifier::parse(kForeignVerifier).value();
  for (std::size_t i = 0; i < kForeignNote.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed(kForeignNote);
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      EXPECT_FALSE(open_note(changed, std::span(&verifier, 1))) << i << "." << bit;
    }
}

// [signed-note] this is the hole that an SM2 line needs.
TEST(Note, LinesOfUnknownKeysAreIgnoredAndNamed) {
  const Ed25519Signer ours = Ed25519Signer::generate("tv.example/kapok");
  auto signers = signers_of(ours);
  signers.push_back(std::make_unique<Ed25519Signer>(Ed25519Signer::generate("other")));
  const std::string note = sign_note("text\n", signers);
  const Ed25519Verifier verifier = ours.verifier();
  const auto opened = open_note(note, std::span(&verifier, 1));
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->unknown, std::vector<std::string>{"other"});
  const Ed25519Verifier stranger = Ed25519Signer::generate("tv.example/kapok").verifier();
  EXPECT_EQ(open_note(note, std::span(&stranger, 1)).error().code, Errc::denied);
}

TEST(Checkpoint, ComesBackFromItsText) {
  Checkpoint checkpoint{"tv.example/kapok", 1234567, {}};
  checkpoint.root.fill(std::byte{0xab});
  EXPECT_EQ(parse_checkpoint(checkpoint_text(checkpoint)).value(), checkpoint);
  EXPECT_EQ(parse_checkpoint(checkpoint_text(checkpoint) + "extension\n").value(), checkpoint);
}

TEST(Checkpoint, BrokenOnesAreRefused) {
  const std::string root = to_base64(Digest256{});
  for (const std::string& text :
       {std::string(), std::string("o\n"), "o\n1\n" + root, "\n1\n" + root + "\n",
        "o\n01\n" + root + "\n", "o\n-1\n" + root + "\n", "o\n1x\n" + root + "\n",
        "o\n99999999999999999999\n" + root + "\n", std::string("o\n1\nAAAA\n"),
        "o\n1\n" + root + "\n\n", "o\n1\n" + root + "\nhalf"})
    EXPECT_FALSE(parse_checkpoint(text)) << text;
}

TEST(Note, NamesWithSpacesOrPlusAreNoNames) {
  EXPECT_TRUE(is_valid_note_name("tv.example/kapok"));
  EXPECT_FALSE(is_valid_note_name("a b"));
  EXPECT_FALSE(is_valid_note_name("a+b"));
  EXPECT_FALSE(is_valid_note_name(""));
}

}  // namespace
}  // namespace kapok::ledger
