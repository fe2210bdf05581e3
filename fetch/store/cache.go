package store

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/builds"
)

// How much is kept of what can be fetched again; the oldest goes first. The tables
// call the cache shelf, a source origin, and hits found.
const (
	maxCached   = 5_000 // things that hold builds
	maxSearches = 100   // questions
	maxHits     = 2_000 // things found by one question: a window, and what is searched for sparse steps
)

// Get is what was put under those of the ids, by id.
func (s *Store) Get(ctx context.Context, source string, ids []string) (map[string]fetch.Cached, error) {
	cached := map[string]fetch.Cached{}
	if len(ids) == 0 {
		return cached, nil
	}
	return cached, s.read(ctx, func(tx *txn) error {
		for _, id := range ids {
			if err := readCached(ctx, tx, source, id, cached); err != nil {
				return err
			}
		}
		return nil
	})
}

func readCached(ctx context.Context, tx *txn, source, id string, cached map[string]fetch.Cached) error {
	rows, err := tx.query(ctx, "SELECT builds, reader FROM shelf WHERE origin = ? AND ref = ?", clean(source), clean(id))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var packed []byte
		var reader int
		if err := rows.Scan(&packed, &reader); err != nil {
			return damaged(err)
		}
		list, err := unpack(packed)
		if err != nil {
			return damaged(err)
		}
		cached[id] = fetch.Cached{Builds: list, Old: reader != timeline.ReaderVersion}
	}
	return rows.Err()
}

// Put puts builds under the id that the source gives what holds them.
func (s *Store) Put(ctx context.Context, source, id string, list []timeline.Build) error {
	packed, err := new(packer).pack(list)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *txn) error {
		if err := tx.exec(ctx, "INSERT INTO shelf (origin, ref, builds, reader) VALUES (?, ?, ?, ?) ON CONFLICT (origin, ref) DO UPDATE SET builds = excluded.builds, reader = excluded.reader", clean(source), clean(id), packed, timeline.ReaderVersion); err != nil {
			return err
		}
		return tx.exec(ctx, "DELETE FROM shelf WHERE id <= (SELECT MAX(id) FROM shelf) - ?", maxCached)
	})
}

// Range is the span of time about which everything is kept that the question
// found.
func (s *Store) Range(ctx context.Context, source, question string) (from, to time.Time, err error) {
	err = s.read(ctx, func(tx *txn) error {
		rows, err := tx.query(ctx, "SELECT since, until FROM searches WHERE origin = ? AND question = ? AND reader = ?", clean(source), clean(question), timeline.ReaderVersion)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var since, until int64
			if err := rows.Scan(&since, &until); err != nil {
				return damaged(err)
			}
			if from, err = timeOf(since); err == nil {
				to, err = timeOf(until)
			}
			if err != nil {
				return damaged(err)
			}
		}
		return rows.Err()
	})
	return from, to, err
}

// Hits is what was kept of a question that began before that time, the newest
// first, at most limit.
func (s *Store) Hits(ctx context.Context, source, question string, before time.Time, limit int) ([]fetch.Hit, error) {
	return s.hits(ctx, `s.reader = ? AND f.start >= s.since AND f.start < s.until AND f.start < ? ORDER BY f.start DESC, f.ref LIMIT ?`,
		clean(source), clean(question), timeline.ReaderVersion, instant(before), limit)
}

// Leftovers is what was once found from then to then, by another version or outside of
// the span of time that is kept.
func (s *Store) Leftovers(ctx context.Context, source, question string, from, to time.Time) ([]fetch.Hit, error) {
	return s.hits(ctx, `(s.reader <> ? OR f.start < s.since OR f.start >= s.until) AND f.start >= ? AND f.start < ? ORDER BY f.start DESC, f.ref`,
		clean(source), clean(question), timeline.ReaderVersion, instant(from), instant(to))
}

// hits reads what questions found.
func (s *Store) hits(ctx context.Context, where string, args ...any) (hits []fetch.Hit, err error) {
	return hits, s.read(ctx, func(tx *txn) error {
		rows, err := tx.query(ctx, "SELECT f.start, f.ref, f.builds FROM found f JOIN searches s ON s.id = f.search WHERE s.origin = ? AND s.question = ? AND "+where, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var hit fetch.Hit
			var start int64
			var packed []byte
			if err := rows.Scan(&start, &hit.ID, &packed); err != nil {
				return damaged(err)
			}
			if hit.Start, err = timeOf(start); err == nil {
				hit.Builds, err = unpack(packed)
			}
			if err != nil {
				return damaged(err)
			}
			hits = append(hits, hit)
		}
		return rows.Err()
	})
}

// Save keeps what questions found, and that they were asked from then to then. What was
// kept of that time by another version is forgotten; of other times it is left over.
func (s *Store) Save(ctx context.Context, source string, searches []fetch.Search) error {
	var p packer
	packed := make([][][]byte, len(searches))
	for i := range searches {
		for _, f := range searches[i].Hits {
			b, err := p.pack(f.Builds)
			if err != nil {
				return err
			}
			packed[i] = append(packed[i], b)
		}
	}
	return s.write(ctx, func(tx *txn) error {
		for i := range searches {
			if err := saveSearch(ctx, tx, clean(source), &searches[i], packed[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func saveSearch(ctx context.Context, tx *txn, source string, search *fetch.Search, packed [][]byte) error {
	question, from, to := clean(search.Question), instant(search.From), instant(search.To)
	old, err := knownSearch(ctx, tx, source, question)
	if err != nil {
		return err
	}
	// A question asked again is the newest.
	if err := tx.exec(ctx, "DELETE FROM searches WHERE id = ?", old.id); err != nil {
		return err
	}
	id, err := tx.id(ctx, "INSERT INTO searches (id, origin, question, since, until, reader) VALUES ((SELECT COALESCE(MAX(search), 0) + 1 FROM (SELECT MAX(search) AS search FROM found UNION ALL SELECT MAX(id) FROM searches) AS known), ?, ?, ?, ?, ?) RETURNING id",
		source, question, from, to, timeline.ReaderVersion)
	if err != nil {
		return err
	}
	// What was left over of this time has been found again, or is handed in with the rest.
	if err := tx.exec(ctx, "DELETE FROM found WHERE search = ? AND start >= ? AND start < ? AND NOT (start >= ? AND start < ?)", old.id, from, to, old.since, old.until); err != nil {
		return err
	}
	if err := tx.exec(ctx, "UPDATE found SET search = ? WHERE search = ?", id, old.id); err != nil {
		return err
	}
	for i, f := range search.Hits {
		start := instant(f.Start)
		if start < from || start >= to {
			continue
		}
		if err := tx.exec(ctx, "INSERT INTO found (search, start, ref, builds) VALUES (?, ?, ?, ?) ON CONFLICT (search, start, ref) DO UPDATE SET builds = excluded.builds", id, start, clean(f.ID), packed[i]); err != nil {
			return err
		}
	}
	return pruneHits(ctx, tx, id)
}

// A searched is a question that is known, and the time that was searched for good: none if
// another version did.
type searched struct{ id, since, until int64 }

func knownSearch(ctx context.Context, tx *txn, source, question string) (s searched, err error) {
	rows, err := tx.query(ctx, "SELECT id, since, until, reader FROM searches WHERE origin = ? AND question = ?", source, question)
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var reader int
		if err := rows.Scan(&s.id, &s.since, &s.until, &reader); err != nil {
			return s, damaged(err)
		}
		if reader != timeline.ReaderVersion {
			s.until = s.since
		}
	}
	return s, rows.Err()
}

// pruneHits forgets the oldest of too much, and the questions that were not asked for
// longest.
func pruneHits(ctx context.Context, tx *txn, id int64) error {
	first, err := tx.id(ctx, "SELECT start FROM found WHERE search = ? ORDER BY start DESC LIMIT 1 OFFSET ?", id, maxHits)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	default:
		if err := tx.exec(ctx, "DELETE FROM found WHERE search = ? AND start <= ?", id, first); err != nil {
			return err
		}
		if err := tx.exec(ctx, "UPDATE searches SET since = ? WHERE id = ? AND since < ?", first+1, id, first+1); err != nil {
			return err
		}
	}
	const old = "(SELECT id FROM searches ORDER BY id DESC LIMIT 9223372036854775807 OFFSET ?)"
	if err := tx.exec(ctx, "DELETE FROM found WHERE search IN "+old, maxSearches); err != nil {
		return err
	}
	return tx.exec(ctx, "DELETE FROM searches WHERE id IN "+old, maxSearches)
}

// A packer writes builds as lines of a builds file, deflated. It is made once for
// many, as it takes more memory than they do.
type packer struct {
	w       *flate.Writer
	encoder builds.Encoder
}

func (p *packer) pack(list []timeline.Build) ([]byte, error) {
	if len(list) == 0 {
		return []byte{}, nil
	}
	var packed bytes.Buffer
	if p.w == nil {
		p.w, _ = flate.NewWriter(&packed, flate.BestSpeed) // which is a level
	}
	p.w.Reset(&packed)
	if err := p.encoder.Encode(p.w, list); err != nil {
		return nil, err
	}
	err := p.w.Close()
	return packed.Bytes(), err
}

// maxUnpacked bounds the builds of one thing: whoever can write to a CI cache can
// write a store.
const maxUnpacked = 64 << 20

func unpack(packed []byte) ([]timeline.Build, error) {
	if len(packed) == 0 {
		return []timeline.Build{}, nil
	}
	r := flate.NewReader(bytes.NewReader(packed))
	list, err := builds.Decode(io.LimitReader(r, maxUnpacked), "builds")
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return slices.Clip(list), nil
}
