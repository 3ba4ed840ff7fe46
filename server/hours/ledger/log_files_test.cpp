#include "server/hours/ledger/log_files.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "server/base/log.hpp"
#include "server/hours/ledger/ledger.hpp"
#include "server/hours/ledger/log_source.hpp"

namespace kapok::ledger {
namespace {

namespace fs = std::filesystem;

Leaf leaf_number(std::uint32_t number) {
  Leaf leaf;
  leaf.credit_ms = number;
  leaf.session.fill(static_cast<std::byte>(number));
  return leaf;
}

std::vector<LeafBytes> leaves(std::uint32_t from, std::uint32_t to) {
  std::vector<LeafBytes> out;
  for (std::uint32_t i = from; i < to; ++i) out.push_back(encode(leaf_number(i)));
  return out;
}

// In memory where there is such a place: thousands of fdatasync on a disk take minutes.
fs::path scratch_folder() {
  const fs::path memory = "/dev/shm";
  return (fs::is_directory(memory) ? memory : fs::temp_directory_path()) /
         ("kapok-log-" + to_hex(random_bytes<8>()));
}

class LogFilesTest : public testing::Test {
 protected:
  LogFilesTest()
      : root_(scratch_folder()),
        folder_(root_ / "ledger"),
        signer_(Ed25519Signer::generate("test.example/log")),
        verifier_(signer_.verifier()) {
    fs::create_directories(root_);
    signers_.push_back(std::make_unique<Ed25519Signer>(signer_));
  }
  ~LogFilesTest() override { fs::remove_all(root_); }

  Result<LogFiles> open() { return LogFiles::open(folder_, verifier_); }
  // A log of `signed_size` entries under a checkpoint and more up to `size` without one.
  void write_log(std::uint32_t signed_size, std::uint32_t size) {
    LogFiles log = open().value();
    std::string note;
    ASSERT_TRUE(log.append(leaves(0, signed_size)));
    ASSERT_TRUE(log.publish(signers_, note));
    ASSERT_TRUE(log.append(leaves(signed_size, size)));
  }
  std::uint32_t credit_at(std::uint64_t index) {
    std::uint32_t credit = 0;
    const DenseLog log = DenseLog::open(folder_).value();
    EXPECT_TRUE(for_each_entry(log, index, index + 1, [&](std::uint64_t, ByteSpan entry) {
      credit = decode_leaf(entry).value().credit_ms;
      return Result<void>();
    }));
    return credit;
  }
  static Bytes read(const fs::path& path) { return read_small_file(path, 1 << 26).value(); }
  static void write(const fs::path& path, ByteSpan bytes) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  }

  fs::path root_;
  fs::path folder_;
  Ed25519Signer signer_;
  Ed25519Verifier verifier_;
  std::vector<std::unique_ptr<const NoteSigner>> signers_;
};

TEST_F(LogFilesTest, EntriesComeBackAfterReopening) {
  write_log(300, 700);
  const LogFiles log = open().value();
  EXPECT_EQ(log.size(), 700U);
  EXPECT_EQ(log.recovery().checkpoint_size, 300U);
  EXPECT_EQ(log.recovery().torn_bytes, 0U);
  EXPECT_FALSE(log.recovery().rebuilt_hashes);
  EXPECT_EQ(credit_at(699), 699U);
}

TEST_F(LogFilesTest, TilesAreThoseOfTheTree) {
  write_log(70'000, 70'000);
  const DenseLog log = DenseLog::open(folder_).value();
  Frontier frontier;
  const auto nothing = [](unsigned, const Digest256&) {};
  for (const LeafBytes& leaf : leaves(0, 70'000)) frontier.append(leaf_hash(leaf), nothing);
  EXPECT_EQ(tree_root(log, 70'000).value(), frontier.root());
  const Proof proof = inclusion_proof(log, 69'123, 70'000).value();
  EXPECT_TRUE(verify_inclusion(leaf_hash(encode(leaf_number(69'123))), 69'123, 70'000, proof,
                               frontier.root()));
}

// A crash may leave any prefix of what was not yet acknowledged.
TEST_F(LogFilesTest, CutAtEveryByteOfTheTailKeepsTheWholeEntries) {
  constexpr std::uint32_t kSigned = 5;
  constexpr std::uint32_t kAll = 9;
  write_log(kSigned, kAll);
  const fs::path pristine = root_ / "pristine";
  fs::copy(folder_, pristine, fs::copy_options::recursive);
  for (std::size_t bytes = kSigned * kEntryBytes; bytes <= kAll * kEntryBytes; ++bytes) {
    fs::remove_all(folder_);
    fs::copy(pristine, folder_, fs::copy_options::recursive);
    fs::resize_file(folder_ / "entries", bytes);
    {
      LogFiles log = open().value();
      ASSERT_EQ(log.size(), bytes / kEntryBytes) << bytes;
      ASSERT_EQ(log.recovery().torn_bytes, bytes % kEntryBytes) << bytes;
      std::string note;
      ASSERT_TRUE(log.append(leaves(100, 101)));
      ASSERT_TRUE(log.publish(signers_, note));
    }
    // What is signed now is the tree of exactly these entries.
    const DenseLog log = DenseLog::open(folder_).value();
    const Checkpoint now = parse_checkpoint(log.checkpoint_note().value().substr(
                                                0, log.checkpoint_note()->find("\n\n") + 1))
                               .value();
    ASSERT_EQ(now.size, bytes / kEntryBytes + 1);
    ASSERT_EQ(tree_root(log, now.size).value(), now.root);
  }
}

// Unsynced blocks may also come back as zeros or as something else.
TEST_F(LogFilesTest, AHoleInTheTailIsCutAndKeptAside) {
  write_log(5, 9);
  Bytes entries = read(folder_ / "entries");
  std::fill_n(entries.begin() + 7 * kEntryBytes + 50, 40, std::byte{0});
  write(folder_ / "entries", entries);
  const LogFiles log = open().value();
  EXPECT_EQ(log.size(), 7U);
  EXPECT_EQ(log.recovery().torn_bytes, 2 * kEntryBytes);
  EXPECT_EQ(read(folder_ / "entries.torn"),
            Bytes(entries.begin() + 7 * kEntryBytes, entries.end()));
}

TEST_F(LogFilesTest, EntriesMissingBelowTheCheckpointAreNotAcceptedAndNothingIsChanged) {
  write_log(5, 5);
  fs::resize_file(folder_ / "entries", 4 * kEntryBytes + 10);
  const auto log = open();
  ASSERT_FALSE(log);
  EXPECT_NE(log.error().message.find("5 entries are signed but only 4"), std::string::npos);
  EXPECT_EQ(fs::file_size(folder_ / "entries"), 4 * kEntryBytes + 10);
}

TEST_F(LogFilesTest, LostTilesAreRebuiltFromTheEntries) {
  write_log(600, 700);
  const Bytes tile = read(folder_ / "tile.0");
  fs::resize_file(folder_ / "tile.0", 0);
  fs::remove(folder_ / "tile.1");
  {
    const LogFiles log = open().value();
    EXPECT_TRUE(log.recovery().rebuilt_hashes);
    EXPECT_EQ(log.size(), 700U);
  }
  EXPECT_EQ(read(folder_ / "tile.0"), tile);
}

TEST_F(LogFilesTest, ChangedEntryWithLostTilesContradictsTheCheckpoint) {
  write_log(600, 600);
  Bytes entries = read(folder_ / "entries");
  entries[100 * kEntryBytes + 20] ^= std::byte{1};
  write(folder_ / "entries", entries);
  fs::resize_file(folder_ / "tile.0", 0);
  const auto log = open();
  ASSERT_FALSE(log);
  EXPECT_NE(log.error().message.find("do not give the root"), std::string::npos);
}

TEST_F(LogFilesTest, ACheckpointOfAnotherKeyIsRefused) {
  write_log(5, 5);
  verifier_ = Ed25519Signer::generate("test.example/log").verifier();
  EXPECT_EQ(open().error().code, Errc::denied);
}

TEST_F(LogFilesTest, OnlyOneProcessWrites) {
  const LogFiles first = open().value();
  EXPECT_EQ(open().error().code, Errc::conflict);
}

TEST_F(LogFilesTest, AnotherFormatIsRefusedNotOverwritten) {
  write_log(1, 1);
  std::ofstream(folder_ / "format") << "kapok ledger 2\n";
  EXPECT_EQ(open().error().code, Errc::unsupported);
  EXPECT_EQ(fs::file_size(folder_ / "entries"), kEntryBytes);
}

// A disk that takes no more: a limit on file size gives the same failing write.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(LogFilesTest, AFullDiskRefusesTheBatchAndTakesTheNextWhenThereIsRoom) {
  LogFiles log = open().value();
  ASSERT_TRUE(log.append(leaves(0, 10)));
  {
    const SmallDisk disk(12 * kEntryBytes);
    EXPECT_FALSE(log.append(leaves(10, 20)));
    EXPECT_EQ(log.size(), 10U);
    EXPECT_EQ(fs::file_size(folder_ / "entries"), 10 * kEntryBytes);
    EXPECT_TRUE(log.append(leaves(10, 12)));
  }
  EXPECT_TRUE(log.append(leaves(12, 20)));
  EXPECT_EQ(log.size(), 20U);
  EXPECT_EQ(credit_at(19), 19U);
  EXPECT_EQ(tree_root(DenseLog::open(folder_).value(), 20).value(), [] {
    Frontier frontier;
    for (const LeafBytes& leaf : leaves(0, 20))
      frontier.append(leaf_hash(leaf), [](unsigned, const Digest256&) {});
    return frontier.root();
  }());
}

TEST_F(LogFilesTest, TheStaticLayoutReadsTheSame) {
  write_log(1000, 1000);
  const DenseLog dense = DenseLog::open(folder_).value();
  ASSERT_TRUE(export_static(dense, 1000, root_ / "static"));
  const auto copy = open_log(root_ / "static").value();
  EXPECT_EQ(copy->checkpoint_note().value(), dense.checkpoint_note().value());
  EXPECT_EQ(tree_root(*copy, 1000).value(), tree_root(dense, 1000).value());
  EXPECT_TRUE(fs::exists(root_ / "static/tile/entries/003.p/232"));
  std::uint64_t seen = 0;
  EXPECT_TRUE(for_each_entry(*copy, 0, 1000, [&](std::uint64_t index, ByteSpan entry) {
    EXPECT_EQ(decode_leaf(entry)->credit_ms, index);
    ++seen;
    return Result<void>();
  }));
  EXPECT_EQ(seen, 1000U);
}

class LedgerTest : public LogFilesTest {
 protected:
  Result<std::unique_ptr<Ledger>> start(std::size_t max_waiting = 1000) {
    LedgerConfig config;
    config.directory = folder_;
    config.origin = "test.example/log";
    config.batch = milliseconds(1);
    config.max_waiting = max_waiting;
    return Ledger::open(config, {}, Log(), metrics_);
  }
  NullMetrics metrics_;
};

TEST_F(LedgerTest, LeavesFromManyThreadsAreEachWrittenOnceWithTheIndexTheyWereTold) {
  const auto ledger = start(100'000).value();
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::map<std::uint64_t, std::uint32_t> told;
  for (std::uint32_t thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (std::uint32_t i = 0; i < 200; ++i) {
        const std::uint32_t number = thread * 1000 + i * 2;
        EXPECT_TRUE(ledger->append({leaf_number(number), leaf_number(number + 1)},
                                   [&, number](Result<std::uint64_t> first) {
                                     const std::lock_guard lock(mutex);
                                     told[first.value()] = number;
                                     told[*first + 1] = number + 1;
                                   }));
      }
    });
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(ledger->flush());
  EXPECT_EQ(ledger->published()->checkpoint.size, 1600U);
  ASSERT_EQ(told.size(), 1600U);
  for (const auto& [index, number] : told) ASSERT_EQ(credit_at(index), number);
}

TEST_F(LedgerTest, EveryLeafHasItsOwnSalt) {
  const auto ledger = start().value();
  ASSERT_TRUE(ledger->append({leaf_number(1), leaf_number(1)}, nullptr));
  ASSERT_TRUE(ledger->flush());
  std::vector<Id16> salts;
  ASSERT_TRUE(for_each_entry(ledger->source(), 0, 2, [&](std::uint64_t, ByteSpan entry) {
    salts.push_back(decode_leaf(entry)->salt);
    return Result<void>();
  }));
  EXPECT_NE(salts[0], salts[1]);
  EXPECT_NE(salts[0], Id16{});
}

TEST_F(LedgerTest, ReopensWithItsKeyAndGoesOn) {
  std::string verifier;
  {
    const auto ledger = start().value();
    verifier = ledger->verifier().text();
    ASSERT_TRUE(ledger->append({leaf_number(1)}, nullptr));
  }  // the destructor writes and signs
  const auto ledger = start().value();
  EXPECT_EQ(ledger->verifier().text(), verifier);
  EXPECT_EQ(ledger->recovery().checkpoint_size, 1U);
  EXPECT_TRUE(open_note(ledger->published()->note, std::vector{ledger->verifier()}));
}

TEST_F(LedgerTest, AnOriginCannotBeChanged) {
  start().value().reset();
  LedgerConfig config;
  config.directory = folder_;
  config.origin = "other.example/log";
  EXPECT_EQ(Ledger::open(config, {}, Log(), metrics_).error().code, Errc::config);
}

TEST_F(LedgerTest, AFullQueueRefusesAndAFullDiskAnswersWithAnError) {
  const auto ledger = start(10).value();
  std::vector<Leaf> many(11, leaf_number(1));
  EXPECT_EQ(ledger->append(many, nullptr).error().code, Errc::full);
  Result<std::uint64_t> answer = 0;
  {
    const SmallDisk disk(3 * kEntryBytes);
    ASSERT_TRUE(ledger->append(std::vector<Leaf>(5, leaf_number(1)),
                               [&](Result<std::uint64_t> first) { answer = first; }));
    EXPECT_FALSE(ledger->flush());
  }
  EXPECT_FALSE(answer);
  ASSERT_TRUE(ledger->append(std::vector<Leaf>(5, leaf_number(1)),
                             [&](Result<std::uint64_t> first) { answer = first; }));
  EXPECT_TRUE(ledger->flush());
  EXPECT_EQ(answer.value(), 0U);
}

TEST_F(LedgerTest, ATextIsRecordedOnceUntilItChanges) {
  for (int start_up = 0; start_up < 3; ++start_up) {
    const auto ledger = start().value();
    ASSERT_TRUE(ledger->record_text(LeafKind::catalogue, "{\"a\":1}", 1, UtcTime()));
    ASSERT_TRUE(ledger->record_text(LeafKind::rule_set, "{\"r\":1}", 1, UtcTime()));
    ASSERT_TRUE(ledger->flush());
    EXPECT_EQ(ledger->published()->checkpoint.size, 2U);
    EXPECT_EQ(ledger->source().text(sha256(as_bytes("{\"a\":1}"))).value(), "{\"a\":1}");
  }
  const auto ledger = start().value();
  ASSERT_TRUE(ledger->record_text(LeafKind::catalogue, "{\"a\":2}", 1, UtcTime()));
  ASSERT_TRUE(ledger->flush());
  EXPECT_EQ(ledger->published()->checkpoint.size, 3U);
}

TEST_F(LedgerTest, TilesAreServedUpToTheCheckpointOnly) {
  const auto ledger = start().value();
  ASSERT_TRUE(ledger->append(std::vector<Leaf>(300, leaf_number(7)), nullptr));
  ASSERT_TRUE(ledger->flush());
  EXPECT_EQ(ledger->read_tile({TileKind::hashes, 0, 0, 256})->size(), 8192U);
  EXPECT_EQ(ledger->read_tile({TileKind::hashes, 0, 1, 44})->size(), 44U * 32);
  EXPECT_EQ(ledger->read_tile({TileKind::entries, 0, 1, 44})->size(), 44U * kEntryBytes);
  EXPECT_EQ(ledger->read_tile({TileKind::hashes, 1, 0, 1})->size(), 32U);
  EXPECT_EQ(ledger->read_tile({TileKind::hashes, 0, 1, 45}).error().code, Errc::not_found);
  EXPECT_EQ(ledger->read_tile({TileKind::hashes, 0, 1, 256}).error().code, Errc::not_found);
  EXPECT_EQ(ledger->read_tile({TileKind::hashes, 2, 0, 1}).error().code, Errc::not_found);
}

}  // namespace
}  // namespace kapok::ledger
