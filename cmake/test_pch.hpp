// What nearly every unit test includes, parsed once per build as well.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "pch.hpp"
