grep -q '^\[filter:s3gateway\]' "$PASTE" ||
    sed -i '$a [filter:s3gateway]\nuse = egg:s3gateway#s3gateway' "$PASTE"
sed -i '/s3gateway rootapp *$/! s/ rootapp *$/ s3gateway rootapp/' "$PASTE"
grep 's3gateway rootapp$' "$PASTE"
