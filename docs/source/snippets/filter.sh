#!/bin/sh
# Puts the gateway into the pipelines of a Glance in /etc/glance.
set -eu
cd /etc/glance
sed -i 's/ rootapp$/ s3gateway rootapp/' glance-api-paste.ini
printf '\n[filter:s3gateway]\nuse = egg:s3gateway#s3gateway\n' >> glance-api-paste.ini
