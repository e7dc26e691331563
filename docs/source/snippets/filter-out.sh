sed -i 's/ s3gateway rootapp *$/ rootapp/' "$PASTE"
sed -i '/^\[filter:s3gateway\]/,/^\[/{/^\[filter:s3gateway\]/d; /^\[/!d}' "$PASTE"
