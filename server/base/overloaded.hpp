// One handler a type, for std::visit.
#pragma once

namespace kapok {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace kapok
