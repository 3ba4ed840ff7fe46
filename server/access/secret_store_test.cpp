#include "server/access/secret_store.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "server/access/bearer_token.hpp"
#include "server/base/crypto.hpp"

namespace kapok::access {
namespace {

class SecretStoreTest : public testing::Test {
 protected:
  SecretStoreTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("kapok-secrets-" + to_hex(random_bytes<8>()))) {}
  ~SecretStoreTest() override { std::filesystem::remove_all(folder_); }
  static unsigned mode_of(const std::filesystem::path& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 0777;
  }
  std::filesystem::path folder_;
};

TEST_F(SecretStoreTest, MakesAPrivateFileOnceAndReadsItAfterwards) {
  const SecretStore store = SecretStore::open(folder_).value();
  const auto first = store.load_or_create("pepper").value();
  const auto second = store.load_or_create("pepper").value();
  EXPECT_TRUE(first.created);
  EXPECT_FALSE(second.created);
  EXPECT_EQ(first.bytes, second.bytes);
  EXPECT_EQ(first.bytes.size(), kSecretBytes);
  EXPECT_EQ(mode_of(first.path), 0600U);
  EXPECT_EQ(mode_of(folder_), 0700U);
}

TEST_F(SecretStoreTest, RefusesAFileThatOthersMayRead) {
  const SecretStore store = SecretStore::open(folder_).value();
  const auto secret = store.load_or_create("pepper").value();
  ASSERT_EQ(::chmod(secret.path.c_str(), 0644), 0);
  const auto again = store.load_or_create("pepper");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::config);
  EXPECT_NE(again.error().message.find("chmod 600"), std::string::npos);
}

TEST_F(SecretStoreTest, RefusesADamagedFileInsteadOfMakingANewSecret) {
  const SecretStore store = SecretStore::open(folder_).value();
  const auto secret = store.load_or_create("pepper").value();
  std::ofstream(secret.path) << "abc";
  EXPECT_EQ(store.load_or_create("pepper").error().code, Errc::config);
}

TEST_F(SecretStoreTest, BearerTokenAcceptsItselfOnly) {
  const SecretStore store = SecretStore::open(folder_).value();
  const BearerToken token = BearerToken::load_or_create(store, "admin-token").value();
  EXPECT_TRUE(token.created());
  EXPECT_TRUE(token.accepts("Bearer " + token.text()));
  EXPECT_TRUE(token.accepts("bearer " + token.text()));
  EXPECT_FALSE(token.accepts(token.text()));
  EXPECT_FALSE(token.accepts("Bearer " + token.text() + "0"));
  EXPECT_FALSE(token.accepts("Bearer "));
  EXPECT_FALSE(token.accepts(""));
  const BearerToken other = BearerToken::load_or_create(store, "regulator-token").value();
  EXPECT_FALSE(token.accepts("Bearer " + other.text()));
  EXPECT_FALSE(BearerToken::load_or_create(store, "admin-token")->created());
}

}  // namespace
}  // namespace kapok::access
