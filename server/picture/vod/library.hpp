// The VOD library: files made into ladders one after the other, kept in a folder, shown to delivery
// when they are whole. Everything is on disk before it is said, so a server that was killed goes on
// where it was. On a thread of its own (`home`), because it writes to disks and waits for them;
// calls come from there.
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/base/metrics.hpp"
#include "server/picture/vod/job.hpp"

namespace kapok::vod {

// Who serves finished items: every shard.
class Shelf {
 public:
  virtual ~Shelf() = default;
  // null: it is gone.
  virtual void put(const std::string& id, std::shared_ptr<const packaging::ClosedWindow> item) = 0;
};

struct LibraryOptions {
  std::filesystem::path folder;  // <id>/
  std::size_t jobs = 1;          // at a time
};

class Library {
 public:
  static constexpr std::size_t kMaxItems = 10'000;
  static constexpr std::size_t kMaxTitleBytes = 256;

  Library(LibraryOptions options, JobSettings settings, Shelf& shelf, Metrics& metrics);
  ~Library();  // close() first
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  // What is there already; unfinished items go on. Errors: config.
  Result<void> open();
  // Errors: conflict (there is such an item, and it has not failed), and those of open_import().
  Result<ItemFacts> add(ItemRequest request);
  Result<ItemFacts> find(const std::string& id) const;
  std::vector<ItemFacts> list() const;  // the newest first
  // Cancels it if it is being made; all its files go.
  Task<Result<void>> remove(std::string id);
  Task<> close();
  boost::asio::any_io_executor home() const { return settings_.home; }

 private:
  struct Item;
  void pump();
  Task<> make(std::shared_ptr<Item> item);
  void save(Item& item);
  Result<void> show(Item& item);
  ItemFacts facts_of(const Item& item) const;
  std::filesystem::path folder_of(const std::string& id) const { return options_.folder / id; }

  LibraryOptions options_;
  const JobSettings settings_;
  Shelf& shelf_;
  Counter& made_;
  Counter& failed_;
  Gauge& waiting_;
  std::map<std::string, std::shared_ptr<Item>> items_;
  std::deque<std::shared_ptr<Item>> queue_;
  std::size_t running_ = 0;
  bool closing_ = false;
  TaskGroup tasks_;
};

}  // namespace kapok::vod
