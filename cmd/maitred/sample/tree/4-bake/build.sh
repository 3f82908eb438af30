#!/bin/sh
set -eu
echo "Checking the pages"
test -s pages/menu.html
for oven in 1 2 3 4 5 6; do
    echo "Heating oven $oven of 6"
    sleep 0.5
done
echo "Ready to bake"
