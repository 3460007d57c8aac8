# git repack -adf of a repository of 60 commits of 100 files.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t
export GIT_AUTHOR_DATE='2000-01-01T00:00:00Z' GIT_COMMITTER_DATE='2000-01-01T00:00:00Z'
git init -q repository
cd repository || exit
words 12000 4 > ../words.txt
commit=0
while [ $commit -lt 60 ]; do
    awk -v c=$commit '{ file = "file" NR % 100 ".txt"; print (NR % 60 == c ? "changed " c " " : "") $0 > file }' ../words.txt
    git add -A
    git commit -q -m "commit $commit"
    commit=$((commit + 1))
done
phase run
under git repack -adfq --threads=1
