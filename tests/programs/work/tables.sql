-- What: fills three tables of a size that the table `size` gives. Nothing depends on time or chance.
create table page(id integer primary key, owner integer, name text unique, body text, score real);
create table owner(id integer primary key, name text, data text);
create virtual table words using fts5(body, content='page', content_rowid='id');

begin;
with recursive c(i) as (values(1) union all select i + 1 from c where i < (select n from size))
insert into page
select i, i * 7919 % 401, printf('page-%x-%d', i * 2654435761 % 4294967296, i),
       substr('lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor', 1 + i % 40, 10 + i % 30)
           || ' ' || hex(i * 31) || replace(hex(zeroblob(i % 50)), '0', 'z'),
       i * 0.37 - i / 3
from c;
insert into owner select o, 'owner ' || o, json_object('id', o, 'tags', json_array(o % 3, o % 5, 'tag' || o % 11))
from (select distinct owner as o from page) order by o;
commit;
create index page_owner on page(owner, score);
insert into words(words) values('rebuild');
