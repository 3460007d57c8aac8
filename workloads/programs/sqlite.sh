# sqlite3: 160,000 rows inserted into a database in memory, indexed, half of them deleted, the rest packed.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
words 160000 3 > words.txt
# Rows, how many of them differ, and their characters.
expected="$(wc -l < words.txt)|$(sort -u words.txt | wc -l)|$(tr -d '\n' < words.txt | wc -c)"
phase run
under sqlite3 -batch -init /dev/null :memory: > out.txt <<'SQL'
.mode list
.separator "|" "\n"
create table lines (text text);
.import words.txt lines
create table words as select rowid as id, text, length(text) as size from lines;
create index by_text on words (text);
create index by_size on words (size, id);
select count(*), count(distinct text), sum(size) from words;
delete from words where id % 2 = 0;
select count(*), sum(size) from words;
vacuum;
drop table lines;
select count(*) from words where text like '%w41%';
SQL
[ "$(sed -n 1p out.txt)" = "$expected" ]
