#!/bin/sh
set -eu
echo "Checking the pages"
test -s pages/menu.html
echo "The ovens are hot"
