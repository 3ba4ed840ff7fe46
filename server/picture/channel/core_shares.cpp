#include "server/picture/channel/core_shares.hpp"

#include <fmt/ranges.h>
#include <sched.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace kapok::channel {

CoreShares::CoreShares(const std::vector<unsigned>& cores, std::size_t each) : each_(each) {
  if (each == 0 || each >= cores.size()) return;
  for (const unsigned number : cores) cores_.push_back({number});
}

CoreShares::Share CoreShares::take() {
  const std::lock_guard lock(mutex_);
  if (cores_.empty()) return {shared_from_this(), {}};
  std::vector<std::size_t> places(cores_.size());
  std::iota(places.begin(), places.end(), 0);
  std::ranges::sort(places, {},
                    [this](std::size_t place) { return std::pair(cores_[place].users, place); });
  places.resize(each_);
  std::ranges::sort(places);
  for (const std::size_t place : places) ++cores_[place].users;
  return {shared_from_this(), std::move(places)};
}

CoreShares::Share::~Share() {
  if (!shares_) return;
  const std::lock_guard lock(shares_->mutex_);
  for (const std::size_t place : places_) --shares_->cores_[place].users;
}

std::string CoreShares::Share::list() const {
  std::vector<unsigned> numbers;
  for (const std::size_t place : places_) numbers.push_back(shares_->cores_[place].number);
  return fmt::format("{}", fmt::join(numbers, ","));
}

std::vector<unsigned> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return {};
  std::vector<unsigned> numbers;
  for (unsigned number = 0; number < CPU_SETSIZE; ++number)
    if (CPU_ISSET(number, &set)) numbers.push_back(number);
  return numbers;
}

}  // namespace kapok::channel
