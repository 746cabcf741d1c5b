# What: one thread of ordinary perl work; prints checksums of everything it makes.
use strict;
use warnings;

my $state = 99;

sub rnd { $state = ($state * 16807) % 2147483647; return $state % $_[0] }

sub show { my ($name, $text) = @_; printf "%s %d %d\n", $name, length $text, unpack('%32C*', $text) }

sub one_round {
    my ($round) = @_;
    my (%count, %where, @lines);
    for my $n (1 .. 12000) {
        push @lines, join ' ', map { join '', map { chr 97 + rnd(26) } 1 .. 1 + rnd(9) } 1 .. 4 + rnd(8);
    }
    for my $n (0 .. $#lines) {
        for my $word ($lines[$n] =~ /\b([a-z]{2,4})\b/g) { $count{$word}++; push @{ $where{$word} }, $n }
    }
    my @top = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
    show("top$round", join ',', map { "$_:$count{$_}:@{$where{$_}}" } @top[0 .. 400]);
    show("order$round", join '|', keys %count);    # the hash seed is fixed
    my $text = join "\n", sort { reverse($a) cmp reverse($b) } @lines;
    (my $changed = $text) =~ s/([aeiou]+)(\w)/<\U$1\E$2>/g;
    show("changed$round", $changed);
    show("packed$round", pack 'w/a*N*', $text, map { length } @lines);
    my $grown = '';
    $grown .= substr $changed, rnd(length $changed), rnd(200) for 1 .. 20000;
    show("grown$round", $grown);
    my @tree = (1);
    @tree = ([@tree], { map { $_ => "$tree[0]" ? 1 : 0 } 1 .. 5 }) for 1 .. 200;
    show("tree$round", scalar @tree);
    delete @where{ grep { $count{$_} % 2 } keys %count };
    show("left$round", join ',', sort keys %where);
}

one_round($_) for 1 .. $ARGV[0];
