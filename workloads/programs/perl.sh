# perl: words of 200,000 lines in hashes of arrays, sorted and dropped.
# shellcheck shell=sh source=workloads/programs/common.sh
. "${0%/*}/common.sh"
unset PERL5OPT PERL5LIB PERL_UNICODE
words 200000 5 > words.txt
phase run
# shellcheck disable=SC2016 # perl's own
under perl -e '
my (%at, @lines);
open my $in, "<", "words.txt" or die;
while (<$in>) { chomp; push @lines, $_; push @{$at{$_}}, $. for split / /; }
my $sum = 0;
$sum += scalar @{$at{$_}} for sort keys %at;
my @sorted = sort @lines;
undef %at;
die unless $sum == 8 * @lines && @sorted == @lines;
'
