package advice

import (
	"cmp"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// What it costs that a builder does not have the images that a build is made from: they are
// asked for at their registry, fetched and unpacked.

// isImage tells whether a step fetches an image, or asks for one.
func isImage(s *timeline.Step) bool {
	if s.Index == 0 && s.Count == 0 && s.Stage != timeline.StageInternal && s.Stage != "" {
		return false
	}
	text := dockerfile.ParseName(s.Name).Text
	return dockerfile.IsImage(text) || dockerfile.IsResolving(text) && s.Stage == timeline.StageInternal
}

// images are what all of the images are worth together: some are fetched beside each other.
func (a *adviser) images() []Advice {
	took := map[int]time.Duration{}
	for i := range a.builds {
		b := &a.builds[i]
		for _, k := range b.Order {
			if s := &b.Steps[k]; b.of[k] >= 0 && s.State == timeline.Executed && isImage(s) {
				took[b.of[k]] += s.Duration
			}
		}
	}
	const part = 20 // of what is worth telling, which is too little to name a step for
	var ids []int
	for id, d := range took {
		if d/time.Duration(len(a.builds)) >= a.least()/part {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.SortFunc(ids, func(x, y int) int { return cmp.Or(cmp.Compare(took[y], took[x]), cmp.Compare(x, y)) })
	saved := make([]time.Duration, len(a.builds))
	var resolve, fetch, unpack time.Duration
	for i := range a.builds {
		b := &a.builds[i]
		var steps, asked, fetched, unpacked []int
		for _, id := range ids {
			k, ok := b.at[id]
			if !ok || b.Steps[k].State != timeline.Executed {
				continue
			}
			steps = append(steps, k)
			if dockerfile.IsResolving(dockerfile.ParseName(b.Steps[k].Name).Text) {
				asked = append(asked, k)
			}
			for _, p := range b.Parts[k] {
				if b.Steps[p].Stage == timeline.StageUnpack {
					unpacked = append(unpacked, p)
				} else {
					fetched = append(fetched, p)
				}
			}
		}
		saved[i] = b.Without(steps...)
		resolve, fetch, unpack = resolve+b.during(asked), fetch+b.during(fetched), unpack+b.during(unpacked)
	}
	x, ok := a.advice(Images, ids, saved)
	if !ok {
		return nil
	}
	n := time.Duration(len(a.builds))
	x.Resolve, x.Fetch, x.Unpack = timeline.Seconds(resolve/n), timeline.Seconds(fetch/n), timeline.Seconds(unpack/n)
	return []Advice{x}
}

// during is for how long any of these steps went on.
func (b *advised) during(steps []int) (whole time.Duration) {
	slices.SortFunc(steps, func(x, y int) int { return b.Steps[x].Start.Compare(b.Steps[y].Start) })
	var until time.Time
	for _, k := range steps {
		from, to := b.Steps[k].Start, b.Steps[k].Start.Add(b.Steps[k].Duration)
		if from.Before(until) {
			from = until
		}
		if to.After(from) {
			whole += to.Sub(from)
			until = to
		}
	}
	return whole
}
