// The catalogue that the configuration's enterprises, works and programmes make.
#pragma once

#include "server/app/server/config.hpp"
#include "server/hours/catalogue/catalogue.hpp"

namespace kapok::app {

// Errors: config, as the catalogue tells them.
Result<catalogue::Catalogue> catalogue_of(const Config& config);

}  // namespace kapok::app
